"""Names of a seed: those of its stream, in order, and within the budget."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch

from models.generation import Sampler, generate
from models.randomness import uniforms
from models.request import MAX_OFFSET, Generated, GenerationRequest, Job
from models.rows import NAME_LIMIT, longest_name
from models.sampling import SamplingParams, draw, log_softmax, probabilities
from models.vocabulary import BOUNDARY
from tests.models.conftest import HOT, Served, each_architecture, exactly, names_of

# ---------------------------------------------------------------- the promise


def drawn_slowly(served: Served, request: GenerationRequest) -> Iterator[tuple[str | None, int]]:
    """What each index of a stream gives, by the definition: forward passes, one at a time."""
    model, vocabulary = served
    index = request.offset
    while True:
        forced = vocabulary.encode(request.prefix)
        stream = uniforms(request.seed, np.array([index], dtype=np.uint64), NAME_LIMIT + 1)[0]
        token_ids: list[int] = [BOUNDARY]
        while len(token_ids) <= longest_name(model, vocabulary) + 1:
            t = len(token_ids) - 1
            logits = model(torch.tensor([token_ids]))[:, -1].numpy()
            probs = probabilities(log_softmax(logits), request.sampling)
            chosen = forced[t] if t < len(forced) else int(draw(probs, stream[t : t + 1])[0])
            if chosen == BOUNDARY:
                break
            token_ids.append(chosen)
        name = vocabulary.decode(token_ids[1:])
        shortest = request.min_length
        longest = request.max_length or longest_name(model, vocabulary)
        yield (name if shortest <= len(name) <= longest else None), index
        index += 1


@each_architecture
@pytest.mark.parametrize(
    "request_",
    [
        GenerationRequest(42, n=40),
        GenerationRequest(2**64 - 1, n=40, offset=MAX_OFFSET),
        GenerationRequest(7, n=40, prefix="ba"),
        GenerationRequest(7, n=40, sampling=SamplingParams(1.5, top_k=4, top_p=0.9, min_p=0.1)),
        GenerationRequest(7, n=40, min_length=3, max_length=5),
    ],
    ids=["plain", "last-seed-and-offset", "prefix", "sampling", "lengths"],
)
def test_names_are_those_of_drawing_each_index_alone_by_full_forward_passes(
    architecture, request_, make_model
):
    served = make_model(architecture)
    generated = generate(*served, request_)
    expected = []
    for name, index in islice(drawn_slowly(served, request_), request_.budget):
        if name is not None:
            expected.append((name, index))
        if len(expected) == request_.n:
            break
    assert [(drawn.name, drawn.index) for drawn in generated.names] == expected
    enough = len(expected) == request_.n
    consumed = expected[-1][1] + 1 - request_.offset if enough else request_.budget
    assert generated.next_offset == request_.offset + consumed
    assert generated.exhausted == (not enough)
    assert generated.acceptance_rate == len(expected) / consumed


@each_architecture
def test_20_names_are_the_beginning_of_100(architecture, make_model):
    served = make_model(architecture)
    few = generate(*served, GenerationRequest(42, n=20))
    many = generate(*served, GenerationRequest(42, n=100))
    assert len(few.names) == 20
    assert exactly(few) == exactly(many)[:20]
    assert len(set(names_of(many))) > 20  # or this would say nothing


@each_architecture
@pytest.mark.parametrize("offset", [1, 10, 31, 64])
def test_an_offset_begins_at_that_index_of_the_stream(architecture, offset, make_model):
    served = make_model(architecture)
    whole = exactly(generate(*served, GenerationRequest(42, n=100)))
    later = exactly(generate(*served, GenerationRequest(42, n=20, offset=offset)))
    assert later == [drawn for drawn in whole if drawn[1] >= offset][:20]


@each_architecture
@pytest.mark.parametrize(
    "filters",
    [
        {"sampling": HOT},
        {"sampling": HOT, "min_length": 3},
        {"sampling": HOT, "max_length": 2},
        {"sampling": HOT, "min_length": 4, "max_length": 5, "prefix": "a"},
    ],
    ids=["none", "min_length", "max_length", "all"],
)
def test_following_next_offset_neither_repeats_nor_skips_a_name(architecture, filters, make_model):
    served = make_model(architecture)
    whole = generate(*served, GenerationRequest(42, n=60, **filters))
    pages, offset = [], 0
    for n in (1, 9, 20, 30):
        page = generate(*served, GenerationRequest(42, n=n, offset=offset, **filters))
        pages += exactly(page)
        offset = page.next_offset
    assert pages == exactly(whole)
    assert offset == whole.next_offset
    indexes = [index for _, index, _ in pages]
    assert indexes == sorted(set(indexes))


@each_architecture
def test_seeds_give_different_streams(architecture, make_model):
    served = make_model(architecture)
    of_42 = generate(*served, GenerationRequest(42, n=50))
    of_43 = generate(*served, GenerationRequest(43, n=50))
    assert names_of(of_42) != names_of(of_43)
    assert names_of(of_42)[1:] != names_of(of_43)[:-1]


# ---------------------------------------------------------------- the budget


@each_architecture
@pytest.mark.parametrize("offset", [0, 12345])
def test_an_impossible_request_ends_with_its_budget(architecture, offset, make_model):
    served = make_model(architecture)
    # Greedily, every index gives the same name; no other length will ever come.
    greedy = GenerationRequest(1, 32, offset, SamplingParams(temperature=0), prefix="a")
    name, _ = next(drawn_slowly(served, greedy))
    request = replace(greedy, min_length=len(name or "") + 1)
    generated = generate(*served, request)
    assert request.budget == 10 * 32 + 1000
    assert generated == Generated(
        names=(), next_offset=offset + 1320, exhausted=True, acceptance_rate=0.0
    )


def test_what_was_found_within_the_budget_is_given(chain):
    # One draw in 1001 is a name.
    served = chain({"": "a" * 1000 + "b", "a": "a", "b": "."})
    generated = generate(*served, GenerationRequest(2, n=50))
    assert generated.exhausted
    assert generated.next_offset == 10 * 50 + 1000
    assert 0 < len(generated.names) < 50
    assert generated.acceptance_rate == len(generated.names) / 1500
    rest = generate(*served, GenerationRequest(2, n=50, offset=1500))
    assert rest.names
    assert min(drawn.index for drawn in rest.names) >= 1500


def test_a_request_that_passes_over_much_does_not_draw_one_name_after_another(make_model):
    served = make_model("transformer")
    rare = GenerationRequest(3, n=1, sampling=SamplingParams(top_p=1e-6), min_length=8)
    job = Job(rare, *served)
    sampler = Sampler(*served)
    sampler.add(job)
    steps = 0
    while not job.done:
        sampler.step()
        steps += 1
    assert job.result().exhausted  # the likeliest characters always end too soon
    one_after_another = rare.budget * 2  # at least a character and an end each
    assert steps < one_after_another / 4

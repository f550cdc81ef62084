from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch

from models.base import LanguageModel
from models.errors import ParameterError, UnknownCharacterError
from models.generation import Sampler, generate
from models.randomness import uniforms
from models.registry import ARCHITECTURES
from models.request import MAX_NAMES, MAX_OFFSET, Generated, GenerationRequest, Job
from models.rows import NAME_LIMIT, ROWS, longest_name
from models.sampling import SamplingParams, draw, log_softmax, probabilities
from models.vocabulary import BOUNDARY, Vocabulary

Served = tuple[LanguageModel, Vocabulary]

HOT = SamplingParams(temperature=3.0)
"""Near uniform: names of every length, whatever the random model."""

each_architecture = pytest.mark.parametrize("architecture", ARCHITECTURES)


@pytest.fixture
def chain(make_model) -> Callable[[dict[str, str]], Served]:
    """chain({"": "a", "a": "ab"}): an unsmoothed bigram model, "" the boundary."""

    def make(followers: dict[str, str]) -> Served:
        alphabet = "".join(sorted(set("".join(followers) + "".join(followers.values())) - {"."}))
        model, vocabulary = make_model("bigram", alphabet=alphabet)
        model.counts.zero_()
        model.smoothing.zero_()
        for character, next_ones in followers.items():
            row = vocabulary.encode(character)[0] if character else BOUNDARY
            for following in next_ones:
                column = BOUNDARY if following == "." else vocabulary.encode(following)[0]
                model.counts[row, column] += 1
        return model, vocabulary

    return make


def exactly(generated: Generated) -> list[tuple[str, int, str]]:
    """The names of an answer, their NLLs to the bit."""
    return [(drawn.name, drawn.index, drawn.nll.hex()) for drawn in generated.names]


def names_of(generated: Generated) -> list[str]:
    return [drawn.name for drawn in generated.names]


def run(sampler: Sampler, *jobs: Job) -> None:
    for job in jobs:
        sampler.add(job)
    while not all(job.done for job in jobs):
        sampler.step()


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


@each_architecture
def test_requests_that_share_a_sampler_get_the_bytes_that_each_gets_alone(architecture, make_model):
    served = make_model(architecture)
    requests = [
        GenerationRequest(1, n=30),
        GenerationRequest(1, n=30, sampling=SamplingParams(temperature=0.7)),
        GenerationRequest(1, n=5, prefix="abc"),
        GenerationRequest(2, n=50, sampling=SamplingParams(2.0, top_k=3)),
        GenerationRequest(2, n=20, min_length=5),
        GenerationRequest(3, n=1, offset=10**15),
        GenerationRequest(3, n=10, sampling=SamplingParams(0.0)),
        GenerationRequest(4, n=40, max_length=3, sampling=SamplingParams(top_p=0.9, min_p=0.05)),
    ]
    alone = [generate(*served, request) for request in requests]
    for arrivals in ([0] * 8, range(8), range(0, 80, 10)):
        sampler = Sampler(*served)
        jobs = [Job(request, *served) for request in requests]
        waiting = list(zip(arrivals, jobs, strict=True))
        completed: list[Job] = []
        steps = 0
        while len(completed) < len(jobs):
            while waiting and waiting[0][0] <= steps:
                sampler.add(waiting.pop(0)[1])
            completed += sampler.step()
            steps += 1
        assert not sampler.busy
        for job, expected in zip(jobs, alone, strict=True):
            assert exactly(job.result()) == exactly(expected)
            assert job.result() == expected


@each_architecture
def test_removing_a_job_frees_its_rows_and_changes_no_other(architecture, make_model):
    served = make_model(architecture)
    request = GenerationRequest(5, n=50)
    alone = generate(*served, request)
    sampler = Sampler(*served)
    unwanted = [Job(GenerationRequest(seed, n=1000), *served) for seed in range(4)]
    for job in unwanted:
        sampler.add(job)
    for _ in range(3):
        sampler.step()
    kept = Job(request, *served)
    sampler.add(kept)
    sampler.step()
    for job in unwanted:
        sampler.remove(job)
    while not kept.done:
        sampler.step()
    assert exactly(kept.result()) == exactly(alone)
    assert not sampler.busy


@each_architecture
def test_rows_that_idle_for_many_steps_stay_within_the_models_context(architecture, make_model):
    served = make_model(architecture, block_size=5)
    sampler = Sampler(*served)
    request = GenerationRequest(9, n=3, min_length=2)
    expected = exactly(generate(*served, request))
    for _ in range(30):  # 3 rows at work, 29 idle
        job = Job(request, *served)
        run(sampler, job)
        assert exactly(job.result()) == expected
    for _ in range(100):  # nothing to do at all
        assert sampler.step() == []
    job = Job(request, *served)
    run(sampler, job)
    assert exactly(job.result()) == expected


@each_architecture
@pytest.mark.parametrize(
    "sizes",
    [{}, {"block_size": 16, "n_layer": 4, "n_head": 4, "n_embd": 64, "n_embd2": 64}],
    ids=["tiny", "makemore"],
)
def test_a_name_does_not_depend_on_the_row_that_it_is_drawn_in(architecture, sizes, make_model):
    served = make_model(architecture, **sizes)
    request = GenerationRequest(11, n=1, min_length=4)
    expected = exactly(generate(*served, request))
    jobs = [Job(request, *served) for _ in range(ROWS)]
    run(Sampler(*served), *jobs)
    assert [exactly(job.result()) for job in jobs] == [expected] * ROWS


# ---------------------------------------------------------------- fairness


def steps_until_done(sampler: Sampler, job: Job, at_most: int) -> int:
    for steps in range(at_most):
        if job.done:
            return steps
        sampler.step()
    return at_most


def test_a_long_job_does_not_starve_a_short_one(make_model):
    served = make_model("transformer")
    sampler = Sampler(*served)
    long = Job(GenerationRequest(1, n=MAX_NAMES), *served)
    sampler.add(long)
    for _ in range(5):
        sampler.step()
    # Its one draw waits for a row at most, and has then as many characters to go.
    request = GenerationRequest(2, n=1)
    index = generate(*served, request).next_offset - 1
    short = Job(request, *served)
    sampler.add(short)
    full = served[0].config.block_size
    assert steps_until_done(sampler, short, 1000) <= full + (index + 1) * full
    assert not long.done


def test_jobs_that_run_in_step_with_the_turns_starve_no_other(chain):
    # Names that never end keep all rows for 64 steps, while 64 jobs take turns: where the
    # turns are not handed on by who had one, the same 32 jobs find the free rows each time.
    served = chain({"": "a", "a": "a", "b": "."})
    endless = GenerationRequest(1, n=1, max_length=63)
    sampler = Sampler(*served)
    for _ in range(40):
        sampler.add(Job(endless, *served))
    short = Job(GenerationRequest(1, n=1, prefix="b"), *served)
    sampler.add(short)
    for _ in range(23):
        sampler.add(Job(endless, *served))
    assert steps_until_done(sampler, short, 1000) <= 3 * 64


def test_rows_are_dealt_to_jobs_one_each_in_turn(chain):
    # Every name of this model takes two steps, so four jobs get 8 names each every other step.
    served = chain({"": "a", "a": "."})
    sampler = Sampler(*served)
    jobs = [Job(GenerationRequest(seed, n=ROWS), *served) for seed in range(4)]
    for job in jobs:
        sampler.add(job)
    completed = [len(sampler.step()) for _ in range(8)]
    assert completed == [0, 0, 0, 0, 0, 0, 0, 4]


# ---------------------------------------------------------------- conditions


@each_architecture
@pytest.mark.parametrize("bounds", [(3, None), (1, 4), (3, 5), (4, 4), (8, 8)])
def test_length_limits_leave_out_names_and_change_none(architecture, bounds, make_model):
    served = make_model(architecture)
    shortest, longest = bounds
    everything = generate(*served, GenerationRequest(42, n=1000))
    request = GenerationRequest(42, n=30, min_length=shortest, max_length=longest)
    limited = generate(*served, request)
    expected = [
        drawn
        for drawn in everything.names
        if shortest <= len(drawn.name) <= (longest or longest_name(*served))
    ]
    assert limited.names
    assert list(limited.names)[: len(expected)] == expected[: len(limited.names)]


@each_architecture
def test_a_draw_without_a_character_is_no_name(architecture, make_model):
    served = make_model(architecture)
    generated = generate(*served, GenerationRequest(42, n=300))
    assert all(generated.names[i].name for i in range(300))
    assert generated.next_offset > 300  # there were such draws


def test_an_endless_model_gives_names_of_up_to_the_text_limit(chain):
    served = chain({"": "a", "a": "aaaaaaaaaaaaaaa."})
    generated = generate(*served, GenerationRequest(1, n=1000))
    lengths = {len(name) for name in names_of(generated)}
    assert max(lengths) == NAME_LIMIT == 64
    assert longest_name(*served) == NAME_LIMIT


@each_architecture
def test_every_name_begins_with_the_prefix(architecture, make_model):
    served = make_model(architecture)
    names = names_of(generate(*served, GenerationRequest(42, n=90, sampling=HOT, prefix="gab")))
    assert all(name.startswith("gab") for name in names)
    assert "gab" in names  # the prefix itself may be a name
    assert len(set(names)) > 10


@each_architecture
def test_a_prefix_of_exactly_max_length_leaves_the_end_alone_to_be_drawn(architecture, make_model):
    model, vocabulary = served = make_model(architecture)
    for prefix, max_length in (("abc", 3), ("abcdefga", None)):
        request = GenerationRequest(42, n=20, prefix=prefix, max_length=max_length)
        if max_length is None and longest_name(model, vocabulary) != len(prefix):
            continue  # the context slides
        generated = generate(*served, request)
        assert names_of(generated) == [prefix] * 20
        token_ids = torch.tensor([[BOUNDARY, *vocabulary.encode(prefix)]])
        end = float(model(token_ids)[0, -1].softmax(0)[BOUNDARY])
        # 20 successes took as many draws as they take on average, give or take 5 sigma.
        sigma = (20 * (1 - end)) ** 0.5 / end
        assert abs(generated.next_offset - 20 / end) < 5 * sigma


def test_a_prefix_is_read_in_nfc(make_model):
    served = make_model("bigram", alphabet="a\u00e9")
    composed = generate(*served, GenerationRequest(1, prefix="\u00e9"))
    assert generate(*served, GenerationRequest(1, prefix="e\u0301")) == composed


def test_a_prefix_that_the_model_holds_impossible_is_forced_at_an_infinite_nll(chain):
    served = chain({"": "a", "a": ".", "b": "."})
    generated = generate(*served, GenerationRequest(1, n=2, prefix="b"))
    assert [(drawn.name, drawn.nll) for drawn in generated.names] == [("b", float("inf"))] * 2


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


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("parameter", "values", "allowed"),
    [
        ("seed", {"seed": -1}, "0 to 18446744073709551615"),
        ("seed", {"seed": 2**64}, "0 to 18446744073709551615"),
        ("n", {"n": 0}, "1 to 1000"),
        ("n", {"n": 1001}, "1 to 1000"),
        ("offset", {"offset": -1}, "0 to 9000000000000000"),
        ("offset", {"offset": 9 * 10**15 + 1}, "0 to 9000000000000000"),
        ("max_length", {"max_length": 0}, "1 to 8"),
        ("max_length", {"max_length": 9}, "1 to 8"),
        ("min_length", {"min_length": 0}, "1 to 8"),
        ("min_length", {"min_length": 9}, "1 to 8"),
        ("min_length", {"min_length": 4, "max_length": 3}, "1 to 3"),
        ("prefix", {"prefix": "abcdefgab"}, "0 to 8"),
        ("prefix", {"prefix": "abcd", "max_length": 3}, "0 to 3"),
    ],
    ids=str,
)
def test_a_value_out_of_range_is_refused_by_name_before_anything_is_drawn(
    parameter, values, allowed, make_model
):
    served = make_model("transformer")
    request = GenerationRequest(**{"seed": 1} | values)
    with pytest.raises(ParameterError, match=f"allowed: {allowed}") as caught:
        Job(request, *served)
    assert caught.value.parameter == parameter
    with pytest.raises(ParameterError):
        generate(*served, request)


def test_a_prefix_outside_the_alphabet_is_refused_with_its_position(make_model):
    with pytest.raises(UnknownCharacterError) as caught:
        Job(GenerationRequest(1, prefix="abX"), *make_model("transformer"))
    assert (caught.value.parameter, caught.value.position) == ("prefix", 2)


def test_the_largest_values_are_allowed(make_model):
    served = make_model("transformer")
    request = GenerationRequest(2**64 - 1, 1, MAX_OFFSET, prefix="abcdefga", min_length=8)
    assert names_of(generate(*served, request)) == ["abcdefga"]


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

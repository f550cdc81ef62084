"""Prompts continued as they are drawn, and what was likeliest at each token."""

import numpy as np
import pytest
import torch

from models.completion import CompletionJob, Reading, room_after
from models.errors import ParameterError, UnknownCharacterError
from models.generation import Sampler, generate
from models.prefix_tree import PrefixTree
from models.request import GenerationRequest, Job
from models.rows import longest_name
from models.sampling import SamplingParams
from models.score import LIKELIEST, Scoring, encode_word
from models.scoring import Scorer, score
from models.vocabulary import BOUNDARY
from tests.models.conftest import HOT, Served, each_architecture

N = 60


def complete(
    served: Served, prompt: str, max_tokens: int, sampling: SamplingParams = HOT, offset: int = 0
) -> list[str]:
    """The first N choices of seed 5, each with its prompt."""
    request = GenerationRequest(5, N, offset, sampling)
    job = CompletionJob(request, encode_word(*served, prompt, "prompt", 0), max_tokens, *served)
    sampler = Sampler(*served)
    sampler.add(job)
    while not job.done:
        sampler.step()
    generated = job.result()
    assert [drawn.index for drawn in generated.names] == list(range(offset, offset + N))
    assert not generated.exhausted
    return [drawn.name for drawn in generated.names]


@each_architecture
@pytest.mark.parametrize("prompt", ["", "ab"])
def test_choices_that_end_are_the_names_at_their_indexes_and_others_are_cut(
    architecture, prompt, make_model
):
    served = make_model(architecture)
    limit = longest_name(*served)
    room = room_after(*served, encode_word(*served, prompt, "prompt", 0))
    assert room == limit + 1 - len(prompt)
    choices = complete(served, prompt, room)
    ended = {i: text for i, text in enumerate(choices) if len(text) < len(prompt) + room}
    named = generate(*served, GenerationRequest(5, N, sampling=HOT, prefix=prompt))
    names = {drawn.index: drawn.name for drawn in named.names if drawn.index < N}
    assert {i: text for i, text in ended.items() if text} == names
    assert "" in ended.values() or prompt
    assert all(text.startswith(prompt) for text in choices)


@pytest.mark.parametrize("architecture", ["bigram", "gru", "transformer"])
@pytest.mark.parametrize("kind", ["lines", "text"])
def test_fewer_tokens_give_the_beginnings_of_the_same_choices(architecture, kind, make_model):
    served = make_model(architecture, kind=kind)
    prompt = served[1].decode([1, 2])
    longest = complete(served, prompt, 7)
    for max_tokens in range(1, 7):
        short = complete(served, prompt, max_tokens)
        assert short == [text[: len(prompt) + max_tokens] for text in longest]
    assert complete(served, prompt, 3, offset=20)[:-20] == complete(served, prompt, 3)[20:]
    if kind == "text":
        assert {len(text) for text in longest} == {len(prompt) + 7}


def test_one_token_after_nothing_is_a_character_or_the_end(make_model):
    served = make_model("gru")
    assert {len(text) for text in complete(served, "", 1)} == {0, 1}


def test_going_on_from_what_was_drawn_gives_what_would_have_come(make_model):
    served = make_model("transformer", kind="text")
    whole, begun = complete(served, "", 8), complete(served, "", 3)
    for index in range(0, N, 7):
        prompt = served[1].encode(begun[index])
        request = GenerationRequest(5, 1, index, HOT)
        job = CompletionJob(request, prompt, 5, *served)
        sampler = Sampler(*served)
        sampler.add(job)
        while not job.done:
            sampler.step()
        assert job.result().names[0].name == whole[index]


def test_names_beside_completions_are_passed_over_as_ever(make_model):
    served = make_model("gru")
    request = GenerationRequest(3, 40, sampling=HOT, max_length=3)
    alone = generate(*served, request)
    sampler, job = Sampler(*served), Job(request, *served)
    sampler.add(CompletionJob(GenerationRequest(3, 40, sampling=HOT), [], 4, *served))
    sampler.add(job)
    while not job.done:
        sampler.step()
    result = job.result()
    assert [drawn.name for drawn in result.names] == [drawn.name for drawn in alone.names]
    assert result.next_offset == alone.next_offset


def test_a_prompt_that_does_not_fit_is_refused_by_name(make_model):
    served = make_model("transformer")
    limit = longest_name(*served)
    with pytest.raises(ParameterError, match=rf"prompt\[3\]: has {limit + 1} characters"):
        encode_word(*served, "a" * (limit + 1), "prompt[3]", 0)
    with pytest.raises(UnknownCharacterError, match="prompt: the character at position 1"):
        encode_word(*served, "aZ", "prompt", 0)
    assert room_after(*served, encode_word(*served, "a" * limit, "prompt", 0)) == 1
    text = make_model("transformer", kind="text")
    assert room_after(*text, [1] * longest_name(*text)) == 0


# ---------------------------------------------------------------- reading


def read(served: Served, sequences: list[list[int]]) -> Reading:
    """A reading that is done, beside a plain scoring."""
    reading, plain = Reading(*served, sequences), Scoring(*served, ["ab", "ba"] * 20)
    scorer = Scorer(*served, PrefixTree(served[0], 0))
    for work in (plain, reading):
        scorer.add(work)
    while scorer.busy:
        scorer.step()
    assert plain.result() == score(*served, ["ab", "ba"] * 20)
    return reading


@each_architecture
def test_a_reading_has_the_scores_of_words_and_the_likeliest_of_a_full_forward(
    architecture, make_model
):
    served = model, vocabulary = make_model(architecture)
    words = ["a", "gfedcba"[: longest_name(*served)], "abab", "a"]
    reading = read(served, [[*vocabulary.encode(word), BOUNDARY] for word in words])
    assert reading.result() == score(*served, words)
    for word, (ids, found) in zip(words, reading.likeliest, strict=True):
        inputs = torch.tensor([[BOUNDARY, *vocabulary.encode(word)]])
        log_probs = model(inputs)[0].log_softmax(dim=-1).numpy()
        assert ids.shape == found.shape == (len(word) + 1, LIKELIEST)
        assert found == pytest.approx(-np.sort(-log_probs, axis=1)[:, :LIKELIEST], rel=1e-6)
        assert np.take_along_axis(log_probs, ids, axis=1) == pytest.approx(found, rel=1e-6)
        assert all(len(set(row)) == LIKELIEST for row in ids.tolist())


def test_what_was_cut_is_read_without_an_end(make_model):
    served = _, vocabulary = make_model("gru")
    whole, cut = read(
        served, [[*vocabulary.encode("abc"), BOUNDARY], vocabulary.encode("abc")]
    ).result()
    assert cut.nlls == whole.nlls[:-1]
    assert (cut.word, cut.characters) == ("abc", ("a", "b", "c"))


def test_equally_likely_tokens_come_by_their_ids_and_impossible_ones_have_no_probability(chain):
    served = chain({"": "cab", "a": ".", "b": ".", "c": "."})
    reading = read(served, [[1, BOUNDARY]])
    ((ids, found),) = reading.likeliest
    assert ids[0, :3].tolist() == [1, 2, 3]
    assert np.exp(found[0]) == pytest.approx([1 / 3] * 3 + [0] * 2)
    assert np.isneginf(found[:, 3:]).all()
    assert ids[1, 0] == BOUNDARY

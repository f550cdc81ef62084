import math

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.errors import ParameterError, UnknownCharacterError
from models.generation import generate
from models.request import GenerationRequest
from models.rows import NAME_LIMIT, ROWS, longest_name
from models.sampling import SamplingParams
from models.score import Score, Scoring, encode_word
from models.scoring import score
from models.vocabulary import BOUNDARY
from tests.models.conftest import each_architecture

# The size that is served: larger matrix products may take other paths.
MAKEMORE = {"block_size": 16, "n_layer": 4, "n_head": 4, "n_embd": 64, "n_embd2": 64}

ROUNDED = 2.0**-24
"""Of itself: how far a log-probability is from the float64 one at most."""


def exactly(found: Score) -> list[tuple[str, str, int]]:
    """A score to the bit."""
    nlls = [nll.hex() for nll in found.nlls]
    return list(zip(found.characters, nlls, found.ranks, strict=True))


def words_of(alphabet: str, count: int, longest: int) -> list[str]:
    random = np.random.default_rng(3)
    return [
        "".join(random.choice(list(alphabet), random.integers(1, longest + 1)))
        for _ in range(count)
    ]


@each_architecture
def test_scores_are_those_of_a_plain_full_forward(architecture, make_model):
    model, vocabulary = make_model(architecture)
    words = words_of("abcdefg", 100, longest_name(model, vocabulary))
    words.append("abcdefgabcdefg" * 8)
    words[-1] = words[-1][: longest_name(model, vocabulary)]
    for word, found in zip(words, score(model, vocabulary, words), strict=True):
        token_ids = [BOUNDARY, *vocabulary.encode(word), BOUNDARY]
        log_probs = model(torch.tensor([token_ids[:-1]]))[0].log_softmax(dim=-1)
        expected = [-float(log_probs[t, token_ids[t + 1]]) for t in range(len(word) + 1)]
        assert found.word == word
        assert found.characters == (*word, "")
        assert found.nlls == pytest.approx(expected, rel=ROUNDED, abs=1e-12)
        assert found.nll == pytest.approx(math.fsum(expected), rel=ROUNDED, abs=1e-10)
        assert found.nll_per_char == found.nll / (len(word) + 1)
        assert found.probabilities == tuple(math.exp(-nll) for nll in found.nlls)
        for t, rank in enumerate(found.ranks):
            better = log_probs[t].float() > log_probs[t, token_ids[t + 1]].float()
            assert rank == 1 + int(better.sum())


@each_architecture
@pytest.mark.parametrize("sizes", [{}, MAKEMORE], ids=["tiny", "makemore"])
def test_the_nll_of_a_generated_name_is_its_score_to_the_bit(architecture, sizes, make_model):
    model, vocabulary = make_model(architecture, **sizes)
    for request in (
        GenerationRequest(42, n=200),
        GenerationRequest(42, n=50, prefix="ab", sampling=SamplingParams(2.0, top_k=5)),
    ):
        generated = generate(model, vocabulary, request)
        scores = score(model, vocabulary, [drawn.name for drawn in generated.names])
        for drawn, found in zip(generated.names, scores, strict=True):
            assert drawn.nll.hex() == found.nll.hex(), drawn.name


def test_the_nll_of_a_word_adds_up_in_order_without_compensation():
    # sum() compensates for rounding from Python 3.12 on; generation, which adds a character
    # at a time, cannot, and both must give the same bits.
    assert Score("aa", (1e16, 1.0, 1.0), (1, 1, 1)).nll == 1e16


@each_architecture
@pytest.mark.parametrize("sizes", [{}, MAKEMORE], ids=["tiny", "makemore"])
def test_other_words_do_not_change_a_score(architecture, sizes, make_model):
    model, vocabulary = make_model(architecture, **sizes)
    words = words_of("abcdefg", 2 * ROWS + 5, longest_name(model, vocabulary))
    together = [exactly(found) for found in score(model, vocabulary, words)]
    backwards = [exactly(found) for found in score(model, vocabulary, words[::-1])]
    assert backwards == together[::-1]
    alone = [exactly(score(model, vocabulary, [word])[0]) for word in words]
    assert alone == together


@each_architecture
@pytest.mark.parametrize("count", [1, ROWS - 1, ROWS, ROWS + 1])
def test_every_word_is_scored_around_a_full_pass(architecture, count, make_model):
    model, vocabulary = make_model(architecture)
    words = words_of("abcdefg", count, longest_name(model, vocabulary))
    assert [found.word for found in score(model, vocabulary, words)] == words


@each_architecture
def test_probabilities_of_all_names_and_what_survives_sum_to_1(architecture, make_model):
    model, vocabulary = make_model(architecture, alphabet="abc")
    total = 0.0
    words = [""]
    for _ in range(3):
        words = [word + character for word in words for character in "abc"]
        total += sum(math.exp(-found.nll) for found in score(model, vocabulary, words))
    first = score(model, vocabulary, ["a", "b", "c"])
    empty = 1 - sum(found.probabilities[0] for found in first)
    surviving = sum(
        math.exp(-sum(found.nlls[:-1])) * (1 - found.probabilities[-1])
        for found in score(model, vocabulary, words)
    )
    assert total + empty + surviving == pytest.approx(1, abs=1e-6)


# ---------------------------------------------------------------- by hand


@pytest.fixture
def counted(make_model):
    """An unsmoothed bigram model: after the boundary a a a b, after a: b b ., after b: . a."""
    model, vocabulary = make_model("bigram", alphabet="abc")
    model.smoothing.zero_()
    model.counts.copy_(torch.tensor([[0, 3, 1, 0], [1, 0, 2, 0], [1, 1, 0, 0], [1, 0, 0, 0]]))
    return model, vocabulary


def test_scores_are_as_counted_by_hand(counted):
    (found,) = score(*counted, ["ab"])
    assert found.probabilities == pytest.approx((3 / 4, 2 / 3, 1 / 2))
    assert found.nll == pytest.approx(math.log(4))
    assert found.nll_per_char == pytest.approx(math.log(4) / 3)


def test_ranks_begin_at_1_and_those_that_tie_share_the_better_one(counted):
    (found,) = score(*counted, ["bab"])
    # b comes second at first; then a ties with the end; then b is likeliest; the end ties.
    assert found.ranks == (2, 1, 1, 1)
    (impossible,) = score(*counted, ["cc"])
    assert impossible.ranks == (3, 2, 1)


@pytest.mark.parametrize("word", ["c", "ac", "aab", "bb", "ccc"])
def test_an_impossible_character_is_infinitely_surprising_without_smoothing(counted, word):
    (found, possible) = score(*counted, [word, "ab"])
    assert found.nll == math.inf
    assert found.nll_per_char == math.inf
    assert (math.inf, 0) in zip(found.nlls, found.probabilities, strict=True)
    assert not any(math.isnan(nll) for nll in found.nlls)
    assert math.isfinite(possible.nll)


def test_a_certain_character_has_nll_0_and_no_sign(counted):
    (found,) = score(*counted, ["c"])
    assert math.copysign(1, found.nlls[-1]) == 1.0
    assert found.nlls[-1] == 0.0


# ---------------------------------------------------------------- what is scored, what refused


def test_words_are_scored_in_nfc(make_model):
    served = make_model("bigram", alphabet="\u00e9a")
    composed, decomposed = score(*served, ["a\u00e9", "ae\u0301"])
    assert decomposed.word == composed.word == "a\u00e9"
    assert exactly(decomposed) == exactly(composed)


def test_no_words_have_no_scores(make_model):
    assert score(*make_model("transformer"), []) == []


@each_architecture
def test_a_word_of_exactly_the_longest_length_is_scored(architecture, make_model):
    model, vocabulary = make_model(architecture)
    longest = ("abcdefg" * 10)[: longest_name(model, vocabulary)]
    (found,) = score(model, vocabulary, [longest])
    assert len(found.characters) == longest_name(model, vocabulary) + 1
    with pytest.raises(ParameterError, match=f"allowed: 1 to {len(longest)}"):
        score(model, vocabulary, [longest + "a"])


@pytest.mark.parametrize(
    ("architecture", "words", "parameter", "message"),
    [
        ("transformer", [""], "words[0]", "has 0 characters; allowed: 1 to 8"),
        ("transformer", ["ab", "abcabcabc"], "words[1]", "has 9 characters; allowed: 1 to 8"),
        ("bigram", ["a"] * 40 + ["a" * (NAME_LIMIT + 1)], "words[40]", "allowed: 1 to 64"),
        ("bigram", ["a" * 10**6], "words[0]", "has 1000000 characters"),
        ("transformer", ["ab", "cd", "aX", "Y"], "words[2]", "position 1 (U+0058)"),
        ("transformer", ["\ud800"], "words[0]", "position 0 (U+D800)"),
    ],
)
def test_an_error_names_the_first_word_at_fault(
    architecture, words, parameter, message, make_model
):
    served = make_model(architecture)
    with pytest.raises(ParameterError) as caught:
        Scoring(*served, words)  # before any pass
    assert caught.value.parameter == parameter
    assert message in str(caught.value)
    with pytest.raises(ParameterError, match=r"^word\["):
        score(*served, words, parameter="word")


def test_a_character_at_fault_is_positioned_in_the_nfc_form(make_model):
    model, vocabulary = make_model("bigram", alphabet="\u00e9a")
    with pytest.raises(UnknownCharacterError) as caught:
        encode_word(model, vocabulary, "e\u0301ab", "prefix")
    assert (caught.value.parameter, caught.value.position) == ("prefix", 2)


@given(st.one_of(st.text(max_size=70), st.text("abc", max_size=70)))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
def test_any_text_is_scored_or_refused_by_name(counted, text):
    if 1 <= len(text) <= NAME_LIMIT and set(text) <= set("abc"):
        assert score(*counted, [text])[0].word == text
    else:
        with pytest.raises(ParameterError, match=r"^words\[0\]: "):
            score(*counted, [text])

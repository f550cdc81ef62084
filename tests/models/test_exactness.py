"""The sampler's distribution against exact probabilities.

Seeds are fixed, so a test gives the same p-value each time; P_LIMIT says how
unlikely a sample may be before we hold the sampler guilty. A sound sampler with
fresh seeds would fail one of these twenty comparisons about once in 50 times.
Counts are compared per draw, rejected ones (empty, or not ended in time) included.
"""

from collections import Counter
from functools import cache

import numpy as np
import pytest

import models.in_flight
from models.bigram import Bigram
from models.randomness import uniforms
from models.rows import NAME_LIMIT, ROWS, Rows, boundaries
from models.sampling import SamplingParams
from models.scoring import score
from tests.exact import (
    bundled,
    by_length,
    chi_square,
    count_prefixes,
    likeliest_names,
    next_probabilities,
    sample,
)

P_LIMIT = 1e-3
DRAWN = 200_000

SAMPLINGS = {
    "as-is": SamplingParams(),
    "temperature-0.7": SamplingParams(temperature=0.7),
    "temperature-1.3-top-k-8": SamplingParams(temperature=1.3, top_k=8),
}
each_sampling = pytest.mark.parametrize("sampling", SAMPLINGS.values(), ids=SAMPLINGS)
checkpoint = cache(bundled)


@cache
def drawn(model_id: str, sampling: SamplingParams) -> tuple[list[str], int]:
    return sample(checkpoint(model_id), sampling, DRAWN)


# ---------------------------------------------------------------- bigram


def transitions(sampling: SamplingParams) -> np.ndarray:
    """(V, V) probabilities of the bundled bigram model."""
    model = checkpoint("bigram").model
    after_start = next_probabilities(model, np.zeros((1, 0), dtype=np.int64), sampling)
    characters = np.arange(1, model.config.vocab_size)[:, None]
    return np.concatenate([after_start, next_probabilities(model, characters, sampling)])


def endings(probs: np.ndarray) -> np.ndarray:
    """(NAME_LIMIT + 1, V): the chance to end within t more characters, after each character."""
    within = [probs[:, 0]]
    for _ in range(NAME_LIMIT):
        within.append(probs[:, 0] + probs[:, 1:] @ within[-1][1:])
    return np.array(within)


def expected_transitions(probs: np.ndarray) -> np.ndarray:
    """(V, V): how often b is expected after a in a draw that gives a name."""
    within = endings(probs)
    reach = np.zeros(len(probs))
    reach[0] = 1.0
    total = np.zeros_like(probs)
    for t in range(NAME_LIMIT + 1):
        # What b leads to: a name if it is the end (unless at once), or may still end in time.
        in_time = within[NAME_LIMIT - t - 1] if t < NAME_LIMIT else np.zeros(len(probs))
        success = np.append(0.0 if t == 0 else 1.0, in_time[1:])
        total += reach[:, None] * probs * success
        reach = reach @ probs
        reach[0] = 0.0
    return total


@pytest.mark.slow
@each_sampling
def test_bigram_first_characters_match_exact_probabilities(sampling: SamplingParams) -> None:
    probs = transitions(sampling)
    expected = probs[0, 1:] * endings(probs)[NAME_LIMIT - 1, 1:]
    names, draws = drawn("bigram", sampling)
    counts = count_prefixes(names, 1)
    observed = [counts[c] for c in checkpoint("bigram").vocabulary.characters]
    assert chi_square(observed, expected, draws) > P_LIMIT


@pytest.mark.slow
@each_sampling
def test_bigram_lengths_match_exact_probabilities(sampling: SamplingParams) -> None:
    probs = transitions(sampling)
    reach, expected = probs[0].copy(), []
    for _ in range(NAME_LIMIT):
        reach[0] = 0.0
        expected.append(reach @ probs[:, 0])
        reach = reach @ probs
    names, draws = drawn("bigram", sampling)
    counts = np.bincount([len(name) for name in names], minlength=NAME_LIMIT + 1)
    assert chi_square(counts[1:], expected, draws) > P_LIMIT


def transition_p_values(names: list[str], sampling: SamplingParams) -> list[float]:
    """For each character: the p-value of what followed it."""
    vocabulary = checkpoint("bigram").vocabulary
    size = len(vocabulary)
    seen = np.zeros((size, size))
    for name in names:
        token_ids = vocabulary.encode(name)
        np.add.at(seen, ([0, *token_ids], [*token_ids, 0]), 1)
    expected = expected_transitions(transitions(sampling))
    followed = expected.sum(1) > 0
    return [
        chi_square(row, wanted / wanted.sum(), int(row.sum()))
        for row, wanted in zip(seen[followed], expected[followed], strict=True)
    ]


@pytest.mark.slow
@each_sampling
def test_bigram_transitions_match_exact_probabilities(sampling: SamplingParams) -> None:
    p_values = transition_p_values(drawn("bigram", sampling)[0], sampling)
    assert min(p_values) * len(p_values) > P_LIMIT  # Bonferroni over the characters


@pytest.mark.slow
def test_a_planted_bias_of_one_percent_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Uniforms that never reach the last hundredth, as a wrong scale would give."""
    monkeypatch.setattr(models.in_flight, "uniforms", lambda *a: uniforms(*a) * 0.99)
    names, _ = sample(checkpoint("bigram"), SamplingParams(), DRAWN)
    assert min(transition_p_values(names, SamplingParams())) < 1e-12


def test_probabilities_of_all_strings_up_to_length_four_sum_to_one_with_the_rest() -> None:
    model = checkpoint("bigram").model
    ended = 0.0
    for _, probs, ending in by_length(model, SamplingParams(), 4):
        ended += float(ending.sum())
        survived = float(probs.sum() - ending.sum())
    assert ended + survived == pytest.approx(1.0, abs=1e-6)
    assert 0.01 < survived < 0.99


def test_the_bigram_table_is_its_counts_plus_one() -> None:
    model = checkpoint("bigram").model
    assert isinstance(model, Bigram)
    counts = model.counts.numpy() + 1.0
    table = transitions(SamplingParams())
    np.testing.assert_allclose(table, counts / counts.sum(1, keepdims=True), atol=1e-15)


# ----------------------------------------------------------- transformer


@pytest.mark.slow
@each_sampling
def test_transformer_prefixes_match_exact_probabilities(sampling: SamplingParams) -> None:
    names, draws = drawn("transformer", sampling)
    vocabulary = checkpoint("transformer").vocabulary
    (_, _, empty), *enumerated = by_length(checkpoint("transformer").model, sampling, 3)
    # Of a draw that does not end in time the prefix is not known: too few to tell.
    assert 1 - len(names) / draws - empty[0] < 1e-3
    for length, (prefixes, probs, _) in enumerate(enumerated, start=1):
        counts = count_prefixes(names, length)
        observed = [counts[vocabulary.decode(prefix)] for prefix in prefixes.tolist()]
        p_value = chi_square(observed, probs / (1 - empty[0]), len(names))
        assert p_value > P_LIMIT, f"prefixes of {length}"


@pytest.mark.slow
@each_sampling
def test_the_thousand_likeliest_names_come_as_often_as_they_should(
    sampling: SamplingParams,
) -> None:
    expected = likeliest_names(checkpoint("transformer"), sampling, 1000, at_least=2e-5)
    names, draws = drawn("transformer", sampling)
    counts = Counter(names)
    observed = [counts[name] for name in expected]
    assert chi_square(observed, list(expected.values()), draws) > P_LIMIT


@pytest.mark.slow
def test_transformer_strings_up_to_length_three_sum_to_one_with_the_rest() -> None:
    """Through the scoring path: what /score says of every string."""
    found = checkpoint("transformer")
    characters = found.vocabulary.characters
    rows = Rows(found.model, found.vocabulary)
    rows.restart(np.arange(ROWS))
    ended = float(np.exp(rows.advance(boundaries())[0, 0]))  # the empty string
    words, survived = list(characters), 0.0
    for length in (1, 2, 3):
        for scored in score(found.model, found.vocabulary, words):
            ended += np.exp(-scored.nll)
            if length == 3:
                survived += np.exp(-scored.nll) * np.expm1(scored.nlls[-1])
        words = [word + character for word in words for character in characters]
    assert ended + survived == pytest.approx(1.0, abs=1e-5)
    assert 0.01 < survived < 0.999

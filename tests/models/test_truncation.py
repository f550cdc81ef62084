"""Which characters top_k, top_p and min_p keep."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.sampling import keep_min_p, keep_top_k, keep_top_p, log_softmax
from tests.models.conftest import ROUNDING, log, logits


def kept(log_probs: np.ndarray) -> list[int]:
    """The ids that are left in one row."""
    (row,) = log_probs
    return np.flatnonzero(row > -np.inf).tolist()


def test_top_k_keeps_exactly_k_characters_when_logits_tie():
    assert kept(keep_top_k(log(0.2, 0.2, 0.2, 0.2, 0.2), 3)) == [0, 1, 2]
    assert kept(keep_top_k(log(0.1, 0.2, 0.4, 0.2, 0.1), 2)) == [1, 2]
    assert kept(keep_top_k(log(0.1, 0.2, 0.4, 0.2, 0.1), 4)) == [0, 1, 2, 3]


@given(logits, st.integers(1, 50))
def test_top_k_keeps_the_k_likeliest(values, k):
    for row, left in zip(values, keep_top_k(values, k), strict=True):
        stays = np.zeros(len(row), dtype=bool)
        stays[sorted(range(len(row)), key=lambda i: (-row[i], i))[:k]] = True
        assert np.array_equal(left, np.where(stays, row, -np.inf))


def test_top_p_keeps_the_smallest_set_that_reaches_it():
    # Powers of two: every sum is exact.
    row = log(0.125, 0.5, 0.25, 0.0625, 0.0625)
    assert kept(keep_top_p(row, 0.5)) == [1]
    assert kept(keep_top_p(row, 0.501)) == [1, 2]
    assert kept(keep_top_p(row, 0.75)) == [1, 2]
    assert kept(keep_top_p(row, 0.751)) == [0, 1, 2]
    assert kept(keep_top_p(row, 0.9375)) == [0, 1, 2, 3]
    assert kept(keep_top_p(row, 0.95)) == [0, 1, 2, 3, 4]
    assert kept(keep_top_p(row, 5e-324)) == [1]


def test_top_p_keeps_the_lower_ids_when_probabilities_tie():
    assert kept(keep_top_p(log(0.25, 0.25, 0.25, 0.25), 0.5)) == [0, 1]


@given(logits, st.floats(0, 1, exclude_min=True))
def test_what_top_p_keeps_reaches_it_and_would_not_without_the_last(values, p):
    log_probs = log_softmax(values)
    left = np.exp(keep_top_p(log_probs, p))
    for row in left:
        least = row[row > 0].min()
        assert row.sum() >= p - ROUNDING
        assert row.sum() - least < p + ROUNDING


def test_top_p_of_1_keeps_even_what_rounding_would_drop():
    row = log_softmax(np.array([[0.0, -60.0, -700.0, -1.0]]))
    assert kept(keep_top_p(row, 1.0)) == [0, 1, 2, 3]
    assert kept(keep_top_p(row, 1)) == [0, 1, 2, 3]


def test_min_p_keeps_what_reaches_its_share_of_the_likeliest():
    row = log(0.5, 0.25, 0.125, 0.125)
    assert kept(keep_min_p(row, 0.5)) == [0, 1]
    assert kept(keep_min_p(row, 0.25)) == [0, 1, 2, 3]
    assert kept(keep_min_p(row, 0.26)) == [0, 1]
    assert kept(keep_min_p(row, 1)) == [0]
    assert kept(keep_min_p(log(0.25, 0.25, 0.5, 0.0), 0)) == [0, 1, 2]
    assert kept(keep_min_p(log(0.4, 0.2, 0.4), 1)) == [0, 2]


@given(logits, st.floats(0, 1))
def test_min_p_leaves_the_others_as_they_were(values, p):
    left = keep_min_p(values, p)
    stays = left > -np.inf
    assert np.array_equal(left[stays], values[stays])
    assert stays[values == values.max(axis=1, keepdims=True)].all()

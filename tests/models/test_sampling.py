"""From logits to a draw: temperature, the order of the parameters, exact arithmetic."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import ParameterError
from models.sampling import (
    MAX_TEMPERATURE,
    SamplingParams,
    apply_temperature,
    draw,
    log_softmax,
    probabilities,
)
from tests.models.conftest import ROUNDING, log, logits

LARGEST_UNIFORM = 1 - 2**-53


params = st.builds(
    SamplingParams,
    temperature=st.one_of(st.just(0.0), st.just(1.0), st.floats(0, MAX_TEMPERATURE)),
    top_k=st.none() | st.integers(1, 50),
    top_p=st.none() | st.floats(0, 1, exclude_min=True),
    min_p=st.none() | st.floats(0, 1),
)
uniform = st.one_of(
    st.just(0.0), st.just(LARGEST_UNIFORM), st.integers(0, 2**53 - 1).map(lambda i: i * 2.0**-53)
)


def drawn_from(params: SamplingParams, *probs: float) -> list[float]:
    return probabilities(log(*probs), params)[0].tolist()


# ---------------------------------------------------------------- ranges


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("temperature", value) for value in (-1e-9, 10.001, math.nan, math.inf)],
        *[("top_k", value) for value in (0, -1, 65537)],
        *[("top_p", value) for value in (0, -0.1, 1.0001, math.nan)],
        *[("min_p", value) for value in (-0.1, 1.0001, math.nan)],
    ],
)
def test_a_parameter_out_of_range_is_refused_by_name(name, value):
    with pytest.raises(ParameterError, match="is out of range; allowed: ") as caught:
        SamplingParams(**{name: value})
    assert caught.value.parameter == name


def test_the_ends_of_every_range_are_allowed():
    SamplingParams(temperature=0, top_k=1, top_p=5e-324, min_p=0)
    SamplingParams(temperature=10, top_k=65536, top_p=1, min_p=1)


# ---------------------------------------------------------------- temperature


@given(logits)
def test_parameters_left_alone_give_the_models_own_distribution(values):
    log_probs = log_softmax(values)
    np.testing.assert_allclose(
        probabilities(log_probs, SamplingParams()), np.exp(log_probs), rtol=0, atol=ROUNDING
    )


@pytest.mark.parametrize("temperature", [0.1, 0.5, 2.0, 10.0])
def test_temperature_raises_probabilities_to_its_inverse(temperature):
    weights = [p ** (1 / temperature) for p in (0.5, 0.3, 0.2)]
    found = drawn_from(SamplingParams(temperature=temperature), 0.5, 0.3, 0.2)
    assert found == pytest.approx([w / sum(weights) for w in weights], abs=ROUNDING)


def test_temperature_0_takes_the_likeliest_character_and_the_lowest_id_of_a_tie():
    assert drawn_from(SamplingParams(temperature=0), 0.2, 0.5, 0.3) == [0, 1, 0]
    assert drawn_from(SamplingParams(temperature=0), 0.2, 0.4, 0.4) == [0, 1, 0]
    everything = SamplingParams(temperature=0, top_k=2, top_p=0.5, min_p=0.5)
    assert drawn_from(everything, 0.2, 0.4, 0.4) == [0, 1, 0]


@pytest.mark.parametrize("temperature", [1e-300, 5e-324])
def test_a_tiny_temperature_is_greedy_and_raises_no_warning(temperature):
    params = SamplingParams(temperature=temperature)
    assert drawn_from(params, 0.2, 0.5, 0.3, 0.0) == [0, 1, 0, 0]
    # A tie is a tie at every temperature above 0.
    assert drawn_from(params, 0.2, 0.4, 0.4, 0.0) == [0, 0.5, 0.5, 0]


# ---------------------------------------------------------------- all parameters


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        # At temperature 2 the square roots 4 3 2 1 of 16 9 4 1 are what top_p sees: 7 of 10.
        (SamplingParams(temperature=2, top_p=0.7), [4 / 7, 3 / 7, 0, 0]),
        # 16 + 9 are this much of the 29 that top_k leaves, but less of all 30.
        (SamplingParams(top_k=3, top_p=25 / 29 - 1e-9), [16 / 25, 9 / 25, 0, 0]),
        (SamplingParams(top_p=25 / 29 - 1e-9), [16 / 29, 9 / 29, 4 / 29, 0]),
        # min_p compares after the temperature: 2 of 4 stays, 4 of 16 would not.
        (SamplingParams(temperature=2, min_p=0.49), [4 / 9, 3 / 9, 2 / 9, 0]),
        (SamplingParams(min_p=0.49), [16 / 25, 9 / 25, 0, 0]),
        # 16 is 0.53 of all 30, but more than 0.6 of the 25 that min_p leaves.
        (SamplingParams(top_p=0.6, min_p=0.3), [16 / 25, 9 / 25, 0, 0]),
    ],
)
def test_temperature_comes_before_top_k_before_top_p_before_min_p(params, expected):
    found = drawn_from(params, 16 / 30, 9 / 30, 4 / 30, 1 / 30)
    assert found == pytest.approx(expected, abs=ROUNDING)


def test_apply_temperature_keeps_impossible_characters_impossible():
    assert apply_temperature(log(0.5, 0.0, 0.5), 10.0).tolist() == [[0, -math.inf, 0]]


@given(logits, params)
def test_every_row_stays_a_distribution_over_possible_characters(values, params):
    log_probs = log_softmax(values)
    found = probabilities(log_probs, params)
    assert found.shape == values.shape
    assert found.dtype == np.float64
    assert (found >= 0).all()
    assert not found[log_probs == -np.inf].any()
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=0, atol=ROUNDING)
    likeliest = log_probs.argmax(axis=1)
    assert (found[np.arange(len(found)), likeliest] == found.max(axis=1)).all()


@given(
    params,
    st.integers(1, 40),
    st.sampled_from([2, 7, 8, 27, 28, 64, 65, 300]),
    st.integers(0, 2**32 - 1),
)
def test_rows_do_not_influence_each_other_to_the_bit(params, count, size, seed):
    random = np.random.default_rng(seed)
    values = random.normal(scale=3, size=(count, size)).round(random.integers(0, 9))  # ties too
    uniforms = random.random(count)
    log_probs = log_softmax(values)
    together = probabilities(log_probs, params)
    ids = draw(together, uniforms)
    for chosen in (random.permutation(count)[: random.integers(1, count + 1)], [count - 1]):
        assert np.array_equal(log_softmax(values[chosen]), log_probs[chosen])
        apart = probabilities(log_probs[chosen], params)
        assert np.array_equal(apart, together[chosen])
        assert np.array_equal(draw(apart, uniforms[chosen]), ids[chosen])


# ---------------------------------------------------------------- drawing


def test_a_draw_inverts_the_cumulative_distribution():
    probs = np.array([[0.25, 0.5, 0.25]] * 6)
    uniforms = np.array([0.0, 0.2499, 0.25, 0.7499, 0.75, LARGEST_UNIFORM])
    assert draw(probs, uniforms).tolist() == [0, 0, 1, 1, 2, 2]
    # Weights need not have been divided by their sum.
    assert draw(probs * 8, uniforms).tolist() == [0, 0, 1, 1, 2, 2]
    assert draw(probs / 8, uniforms).tolist() == [0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize(
    ("probs", "lowest", "highest"),
    [
        ([0.0, 0.5, 0.0, 0.5, 0.0], 1, 3),
        ([0.0, 0.0, 1.0], 2, 2),
        ([1.0, 0.0, 0.0], 0, 0),
        # Ten tenths sum to less than 1, and three thirds of 0.1 to more.
        ([0.0] + [0.1] * 10 + [0.0], 1, 10),
        ([0.1 / 3] * 30 + [0.0], 0, 29),
        ([1.0, 1e-300, 0.0], 0, 1),
    ],
)
def test_a_draw_never_gives_a_character_of_probability_0(probs, lowest, highest):
    row = np.array([probs])
    assert draw(row, np.array([0.0])).tolist() == [lowest]
    (found,) = draw(row, np.array([LARGEST_UNIFORM]))
    assert lowest <= found <= highest
    assert probs[found] > 0
    # Near the smallest numbers the product of uniform and sum rounds up to the sum.
    for scale in (3.0, 1e-3, 1e-300, 1e-320):
        (found,) = draw(row * scale, np.array([LARGEST_UNIFORM]))
        assert probs[found] > 0


@given(logits, params, st.data())
def test_whatever_is_drawn_was_possible(values, params, data):
    uniforms = np.array(data.draw(st.lists(uniform, min_size=len(values), max_size=len(values))))
    probs = probabilities(log_softmax(values), params)
    ids = draw(probs, uniforms)
    assert ids.dtype == np.int64
    assert (probs[np.arange(len(ids)), ids] > 0).all()


def test_evenly_spread_uniforms_give_characters_in_proportion():
    probs = np.array([[0.1, 0.0, 0.6, 0.3]])
    uniforms = (np.arange(1000) + 0.5) / 1000
    ids = draw(np.repeat(probs, 1000, axis=0), uniforms)
    assert np.bincount(ids, minlength=4).tolist() == [100, 0, 600, 300]


# ---------------------------------------------------------------- log_softmax


@given(logits)
def test_log_softmax_is_exact_where_exponentials_would_overflow(values):
    found = log_softmax(values + 1000)
    exact = [
        [v - row.max() - math.log(math.fsum(np.exp(row - row.max()))) for v in row]
        for row in values
    ]
    np.testing.assert_allclose(found, exact, rtol=ROUNDING, atol=1e-10)

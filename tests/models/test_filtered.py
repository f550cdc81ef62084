"""A draw that is said to be sure is the draw by whatever distribution was meant."""

import numpy as np
import pytest

from models.filtered import draw_if_sure
from models.sampling import SamplingParams, draw, log_softmax, probabilities

PARAMS = [
    SamplingParams(),
    SamplingParams(0.0),
    SamplingParams(0.3),
    SamplingParams(5.0),
    SamplingParams(top_k=1),
    SamplingParams(0.8, top_k=4),
    SamplingParams(top_p=0.7),
    SamplingParams(1.4, top_p=0.95, min_p=0.02),
    SamplingParams(min_p=0.1),
    SamplingParams(0.7, top_k=5, top_p=0.8, min_p=0.05),
    SamplingParams(top_k=100, top_p=1.0, min_p=0.0),
]


def some_log_probs(random: np.random.Generator, size: int) -> np.ndarray:
    logits = random.normal(size=(size, 9)) * random.choice([0.5, 2, 8], size=(size, 1))
    logits[random.random(logits.shape) < 0.05] = -np.inf
    logits[:, 0] = 0.0
    return log_softmax(logits)


@pytest.mark.parametrize("params", PARAMS, ids=str)
@pytest.mark.parametrize("error", [1e-2, 1e-4, 1e-6])
def test_what_is_sure_stays_the_same_however_the_log_probabilities_are_off(params, error):
    random = np.random.default_rng(0)
    log_probs = some_log_probs(random, 20_000)
    uniforms = random.random(len(log_probs))
    expected = draw(probabilities(log_probs, params), uniforms)
    # Twice the largest shift of a log-probability moves no cumulative probability further.
    off = log_softmax(log_probs + random.uniform(-error, error, log_probs.shape))
    found, sure = draw_if_sure(off, params, uniforms, error)
    assert (found[sure] == expected[sure]).all()
    assert sure.mean() > 1 - 3000 * error  # not so careful that nothing is


@pytest.mark.parametrize("params", PARAMS, ids=str)
def test_the_filter_is_needed(params):
    """With errors of this size some draws do come out otherwise, and none of them is sure."""
    random = np.random.default_rng(1)
    log_probs = some_log_probs(random, 50_000)
    uniforms = random.random(len(log_probs))
    expected = draw(probabilities(log_probs, params), uniforms)
    off = log_softmax(log_probs + random.uniform(-0.02, 0.02, log_probs.shape))
    found, sure = draw_if_sure(off, params, uniforms, 0.02)
    assert (found != expected).any()
    assert not (found != expected)[sure].any()


@pytest.mark.parametrize("params", [SamplingParams(top_k=2), SamplingParams(0.0)], ids=str)
def test_a_tie_at_a_limit_is_for_the_exact_rule_to_decide(params):
    log_probs = np.log(np.array([[0.4, 0.3, 0.3], [0.4, 0.4, 0.2]]))
    _, sure = draw_if_sure(log_probs, params, np.array([0.2, 0.2]), 1e-9)
    assert sure.tolist() == ([True, False] if params.temperature == 0 else [False, True])


def test_a_uniform_at_the_border_of_two_characters_is_not_sure():
    log_probs = np.log(np.full((4, 4), 0.25))
    uniforms = np.array([0.25, 0.25 - 1e-9, 0.3, np.nextafter(1.0, 0)])
    ids, sure = draw_if_sure(log_probs, SamplingParams(), uniforms, 1e-7)
    assert sure.tolist() == [False, False, True, False]
    assert ids[2] == 1

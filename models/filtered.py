"""Drawing by log-probabilities that are only nearly known, where they decide all the same.

Nearly is enough for nearly every draw: only a uniform that falls very close to the border
between two characters needs the exact probabilities. So it is told of each draw whether it
is sure, and the others are left to sampling.py. Geometric predicates are computed in that
way: Shewchuk 1997, https://doi.org/10.1007/PL00009321.

Shapes: B names, V = vocab_size.
"""

import numpy as np
from numpy.typing import NDArray

from models.sampling import Array, LogProbs, SamplingParams

Sure = NDArray[np.bool_]

_LOGS = 16
"""Times the error of a cumulative probability, that of a log-probability which counts."""


def draw_if_sure(
    log_probs: LogProbs, params: SamplingParams, uniforms: Array, error: float
) -> tuple[NDArray[np.int64], Sure]:
    """Draw, as `sampling.draw` does by the `probabilities` that are meant.

    Args:
        log_probs: (B, V), each row summing to 1 as probabilities, nearly.
        params: how they are reshaped.
        uniforms: (B,) in [0, 1).
        error: how far a cumulative probability may be off before anything is reshaped; a
            log-probability may be off by 16 times that.

    Returns:
        (B,) ids, and (B,) whether they are sure to be the ones.
    """
    if params.temperature == 0:
        best = np.partition(log_probs.astype(np.float64), -2, axis=1)[:, -2:]
        return log_probs.argmax(axis=1), best[:, 1] - best[:, 0] > 2 * _LOGS * error
    if params == SamplingParams():  # nearly every request
        weights, sure = np.exp(log_probs, dtype=np.float64), np.ones(len(log_probs), dtype=bool)
    else:
        error *= max(1.0, 1 / params.temperature)
        weights, sure = _reshape(log_probs.astype(np.float64), params, error)
    cumulative = np.cumsum(weights, axis=1)
    target = uniforms * cumulative[:, -1]
    token_ids = (cumulative <= target[:, None]).sum(axis=1)
    margin = error * cumulative[:, -1]
    every, within = np.arange(len(cumulative)), np.minimum(token_ids, cumulative.shape[1] - 1)
    below = np.where(within > 0, cumulative[every, within - 1], -np.inf)
    sure &= (target - below > margin) & (cumulative[every, within] - target > margin)
    return within, sure


def _reshape(log_probs: Array, params: SamplingParams, error: float) -> tuple[Array, Sure]:
    """(B, V) log-probabilities to weights, and (B,) whether those removed are sure to be."""
    slack = 2 * _LOGS * error
    logs = log_probs - log_probs.max(axis=1, keepdims=True)
    with np.errstate(over="ignore"):  # a tiny temperature sends the rest to -inf, rightly
        logs /= params.temperature
    sure = np.ones(len(logs), dtype=bool)
    if params.top_k is not None and params.top_k < logs.shape[1]:
        first_out = logs.shape[1] - params.top_k - 1
        parted = np.partition(logs, (first_out, first_out + 1), axis=1)
        sure &= _apart(parted[:, first_out + 1], parted[:, first_out], slack)
        logs[logs < parted[:, first_out + 1, None]] = -np.inf
    if params.top_p is not None and params.top_p < 1:
        sure &= _keep_top_p(logs, params.top_p, error)
    if params.min_p:
        limit = np.log(params.min_p)
        relative = logs - logs.max(axis=1, keepdims=True)
        sure &= (np.abs(relative - limit) > slack).all(axis=1)
        logs[relative < limit] = -np.inf
    return np.exp(logs), sure


def _keep_top_p(logs: Array, p: float, error: float) -> Sure:
    """Remove what is not among the likeliest characters that reach p; (B,) whether surely."""
    descending = -np.sort(-logs, axis=1)
    weights = np.exp(descending)
    reached = np.cumsum(weights, axis=1)
    before = (reached - weights) / reached[:, -1:]
    every, kept = np.arange(len(logs)), (before < p).sum(axis=1)
    last = descending[every, kept - 1]
    first_out = np.where(
        kept < logs.shape[1], descending[every, np.minimum(kept, logs.shape[1] - 1)], -np.inf
    )
    logs[logs < last[:, None]] = -np.inf
    sure: Sure = (np.abs(before - p) > error).all(axis=1)
    return sure & _apart(last, first_out, 2 * _LOGS * error)


def _apart(larger: Array, smaller: Array, slack: float) -> Sure:
    """(B,) whether the larger of two log-probabilities is so indeed."""
    apart: Sure = (larger > smaller + slack) | (smaller == -np.inf)
    return apart

"""From log-probabilities to a character: small pure functions, in float64 numpy.

The order is temperature, then top_k, top_p, min_p, each on what the one before
left; a removed character has log-probability -inf. Nothing here is random: the
uniform comes from outside.

Sources: top_k, Fan et al. 2018, https://arxiv.org/abs/1805.04833; top_p,
Holtzman et al. 2019, https://arxiv.org/abs/1904.09751; min_p, Nguyen et al.
2024, https://arxiv.org/abs/2407.01082.
Deviation: where characters tie at a limit, the lower id stays, so that exactly
k survive top_k.

Shapes: B names, V = vocab_size.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.errors import ParameterError

Array = NDArray[np.float64]
LogProbs = NDArray[np.float64] | NDArray[np.float32]

MAX_TEMPERATURE: Final = 10.0
MAX_TOP_K: Final = 65536


@dataclass(frozen=True)
class SamplingParams:
    """How a distribution is reshaped before a character is drawn from it.

    Attributes:
        temperature: 0 to 10; 1 is the model itself, 0 always takes the likeliest.
        top_k: keep the k likeliest characters, 1 to 65536; None keeps all.
        top_p: keep the likeliest characters that together reach this probability,
            above 0 to 1; None keeps all.
        min_p: keep the characters at least this times as probable as the likeliest,
            0 to 1; None keeps all.

    Raises:
        ParameterError: a value is out of its range.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None

    def __post_init__(self) -> None:
        # Written so that NaN fails too.
        if not 0 <= self.temperature <= MAX_TEMPERATURE:
            raise ParameterError("temperature", "is out of range; allowed: 0 to 10")
        if self.top_k is not None and not 1 <= self.top_k <= MAX_TOP_K:
            raise ParameterError("top_k", f"is out of range; allowed: 1 to {MAX_TOP_K}")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise ParameterError("top_p", "is out of range; allowed: above 0 to 1")
        if self.min_p is not None and not 0 <= self.min_p <= 1:
            raise ParameterError("min_p", "is out of range; allowed: 0 to 1")


def log_softmax(logits: Array) -> Array:
    """(B, V) logits to (B, V) log-probabilities, in nats."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    result: Array = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return result


def probabilities(log_probs: Array, params: SamplingParams) -> Array:
    """The distribution that is drawn from.

    Args:
        log_probs: (B, V) the model's own, each row summing to 1 as probabilities.
        params: how to reshape it.

    Returns:
        (B, V) float64; rows sum to 1 within rounding.
    """
    if params.temperature == 0:
        return np.asarray(np.eye(log_probs.shape[1])[log_probs.argmax(axis=1)])
    log_probs = apply_temperature(log_probs, params.temperature)
    if params.top_k is not None:
        log_probs = keep_top_k(log_probs, params.top_k)
    if params.top_p is not None:
        log_probs = keep_top_p(log_probs, params.top_p)
    if params.min_p is not None:
        log_probs = keep_min_p(log_probs, params.min_p)
    return _normalize(log_probs)


def apply_temperature(log_probs: Array, temperature: float) -> Array:
    """(B, V) log-probabilities over `temperature` > 0, shifted so that the largest is 0."""
    shifted = log_probs - log_probs.max(axis=1, keepdims=True)
    with np.errstate(over="ignore"):  # a tiny temperature sends the rest to -inf, rightly
        result: Array = shifted / temperature
    return result


def keep_top_k(log_probs: Array, k: int) -> Array:
    """(B, V), all but the k likeliest at -inf; exactly k stay, the lower ids where they tie."""
    return _keep_first(log_probs, np.full(len(log_probs), k))


def keep_top_p(log_probs: Array, p: float) -> Array:
    """(B, V), all but the smallest set of likeliest characters that reaches p at -inf."""
    if p >= 1:  # else rounding in the running sum could drop the rarest characters
        return log_probs
    descending = -np.sort(-_normalize(log_probs), axis=1)
    reached_before = np.cumsum(descending, axis=1) - descending
    return _keep_first(log_probs, (reached_before < p).sum(axis=1))


def keep_min_p(log_probs: Array, p: float) -> Array:
    """(B, V), characters below p times the likeliest one's probability at -inf."""
    relative = np.exp(log_probs - log_probs.max(axis=1, keepdims=True))
    return np.where(relative >= p, log_probs, -np.inf)


def draw(probs: Array, uniforms: Array) -> NDArray[np.int64]:
    """Invert the cumulative distribution.

    Args:
        probs: (B, V), rows with a positive sum.
        uniforms: (B,) in [0, 1).

    Returns:
        (B,) ids; never one of probability 0.
    """
    cumulative = np.cumsum(probs, axis=1)
    target = uniforms * cumulative[:, -1]
    token_ids = (cumulative <= target[:, None]).sum(axis=1)
    # uniform * total can round up to the total: then the last possible id is meant.
    last_possible = probs.shape[1] - 1 - (probs[:, ::-1] > 0).argmax(axis=1)
    result: NDArray[np.int64] = np.minimum(token_ids, last_possible)
    return result


def _keep_first(log_probs: Array, counts: NDArray[np.int64]) -> Array:
    """Keep the first counts[b] of row b in descending order, ties by id."""
    order = np.argsort(-log_probs, axis=1, kind="stable")
    ranks = np.argsort(order, axis=1)
    return np.where(ranks < counts[:, None], log_probs, -np.inf)


def _normalize(log_probs: Array) -> Array:
    """Log-probabilities, up to a constant a row, to probabilities."""
    weights = np.exp(log_probs - log_probs.max(axis=1, keepdims=True))
    result: Array = weights / weights.sum(axis=1, keepdims=True)
    return result

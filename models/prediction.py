"""What comes after a prefix: every character there is, and how likely it is.

A prediction is a word of which all but the last character is given. So it is read beside the
words that are being scored, by the same rows and the same tree, and has the same numbers: of
log-probabilities that are evaluated in float64 and rounded to float32 once.

Shapes: V = vocab_size.
"""

import math

import numpy as np
from numpy.typing import NDArray

from models.base import LanguageModel
from models.errors import ParameterError
from models.rows import longest_name
from models.sampling import Array, SamplingParams, probabilities
from models.score import Scoring
from models.vocabulary import BOUNDARY, Vocabulary, normalize, normalized_length


class Prediction(Scoring):
    """A request for a distribution on its way.

    Args:
        model: only asked for its longest name.
        vocabulary: the model's.
        prefix: at most one character less than `longest_name(model, vocabulary)`, all of the
            alphabet; "" is where names begin.

    Attributes:
        log_probs: (V,) float32, once `done`: of each character after the prefix, and of the
            end, nats; that of the end is -inf in running text.

    Raises:
        ParameterError: naming `prefix`: it is too long, or a character is not in the alphabet.
    """

    def __init__(self, model: LanguageModel, vocabulary: Vocabulary, prefix: str) -> None:
        super().__init__(model, vocabulary, [])
        limit = longest_name(model, vocabulary) - 1
        length = normalized_length(prefix, limit)
        if length > limit:
            raise ParameterError(
                "prefix", f"has {length} characters; allowed: 0 to {limit}, so that one more fits"
            )
        self._words = [normalize(prefix)]
        # What is asked of the last one is not how likely the boundary is, but everything.
        self._predicted = [[*vocabulary.encode(prefix, "prefix"), BOUNDARY]]
        self.log_probs: NDArray[np.float32] = np.empty(0, dtype=np.float32)


def reshaped(
    log_probs: NDArray[np.float32], sampling: SamplingParams
) -> tuple[list[float], list[float]]:
    """What characters are drawn by after a prefix.

    Args:
        log_probs: (V,) the model's own.
        sampling: how to reshape them; without effect, the values are those of a `Score`.

    Returns:
        (V,) probabilities, and (V,) -ln of them in nats, infinite where they are 0.
    """
    if sampling == SamplingParams():
        nlls = _positive(0.0 - log_probs.astype(np.float64))
        return [math.exp(-nll) for nll in nlls], nlls
    (probs,) = probabilities(log_probs.astype(np.float64)[None], sampling)
    with np.errstate(divide="ignore"):
        return probs.tolist(), _positive(-np.log(probs))


def _positive(nlls: Array) -> list[float]:
    values: list[float] = np.maximum(nlls, 0.0).tolist()  # rounding can exceed certainty
    return [value + 0.0 for value in values]  # never -0

"""Drafts: float32 passes of any height, for draws that they decide all the same.

A float32 product costs half of a float64 one, and where its rounding cannot matter neither
does the shape of the pass. How far a draft may be off is measured, not proved: a sample of
names is read both ways, and many times the largest difference is allowed for.

Shapes: B rows, V = vocab_size.
"""

import copy

import numpy as np

from models.base import LanguageModel
from models.randomness import uniforms
from models.rows import ROWS, Rows, boundaries, longest_name
from models.sampling import draw
from models.vocabulary import Vocabulary

HEIGHTS = (8, 16, 32, 48, 64, 96, 128, 192, 256)
"""Of a pass, in rows: few names must not pay for many."""
SAFETY = 16
"""Times the largest difference that was seen, in a cumulative probability."""

_LEAST_ERROR = 1e-5
_MOST_ERROR = 1e-3
_READ = 16


def make_drafts(model: LanguageModel, vocabulary: Vocabulary) -> tuple[Rows, float] | None:
    """Rows of a float32 copy of a model, and the error of what they say.

    Args:
        model: in eval mode, float64.
        vocabulary: the model's.

    Returns:
        The rows, and how far a cumulative probability may be off, SAFETY times what was seen;
        None where that is too far to decide much, or where float32 may mean less than it
        says, as on a GPU.
    """
    if model.device.type != "cpu":
        return None
    rows = Rows(copy.deepcopy(model).float(), vocabulary, HEIGHTS)
    error = max(
        _LEAST_ERROR, SAFETY * _difference(Rows(model, vocabulary), rows, model, vocabulary)
    )
    return (rows, error) if error <= _MOST_ERROR else None


def _difference(exact: Rows, draft: Rows, model: LanguageModel, vocabulary: Vocabulary) -> float:
    """The largest between cumulative probabilities, over ROWS names as they are drawn."""
    for rows in (exact, draft):
        rows.restart(np.arange(ROWS))
    characters = min(_READ, longest_name(model, vocabulary))
    chosen = uniforms(0, np.arange(ROWS, dtype=np.uint64), characters)
    inputs, largest = boundaries(), 0.0
    for t in range(characters):
        probs = np.exp(exact.advance(inputs))
        drafted = np.exp(draft.advance(inputs).astype(np.float64))
        difference = float(np.abs(np.cumsum(probs - drafted, axis=1)).max())
        largest = max(largest, difference if np.isfinite(difference) else np.inf)
        inputs = draw(probs, chosen[:, t])
    return largest

"""Context table: all that a model with a short memory can say.

Where the last K characters decide, there are no more than V**K distributions: a table of
them knows every prefix, and nothing is left to evaluate while names are drawn.

Shapes: B prefixes asked for, V = vocab_size, K = the model's `context`.
"""

import math

import numpy as np
from numpy.typing import NDArray

from models.base import LanguageModel, State
from models.kept_states import Nodes
from models.prefix_tree import Keys
from models.rows import ROWS, Rows
from models.sampling import LogProbs
from models.vocabulary import Vocabulary


class ContextTable:
    """The distributions after every context, by the number that its characters make.

    A number is its own key and its own node. The table keeps float64 where the memory
    suffices, else float32.

    Args:
        model: as it is served; its `context` is not None.
        vocabulary: the model's.
        memory_bytes: of the table at most.

    Attributes:
        error: as of PrefixTree; 0 in float64.
        root_key: of the context before the first character, boundaries.
    """

    root_key = 0
    full = True

    def __init__(self, model: LanguageModel, vocabulary: Vocabulary, memory_bytes: int) -> None:
        size, context = len(vocabulary), model.context or 0
        self._size, self._longer = size, size ** (context - 1)
        double = size ** (context + 1) * 8 <= memory_bytes
        self.error = 0.0 if double else 2.0**-24 * math.log(size)
        shape = size**context, size
        self._log_probs: LogProbs = np.empty(shape) if double else np.empty(shape, dtype=np.float32)
        rows = Rows(model, vocabulary)
        for first in range(0, len(self._log_probs), ROWS):
            nodes = np.arange(first, min(first + ROWS, len(self._log_probs)))
            rows.restart(np.arange(ROWS))
            for back in reversed(range(context)):
                inputs = np.zeros(ROWS, dtype=np.int64)
                inputs[: len(nodes)] = nodes // size**back % size
                log_probs = rows.advance(inputs)
            self._log_probs[nodes] = log_probs[: len(nodes)]

    def __len__(self) -> int:
        """V**K."""
        return len(self._log_probs)

    @property
    def nbytes(self) -> int:
        """Of the table."""
        return self._log_probs.nbytes

    def log_probs(self, nodes: Nodes) -> LogProbs:
        """(B,) nodes to (B, V) log-probabilities, a copy."""
        return self._log_probs[nodes]

    def keys(self, nodes: Nodes, token_ids: NDArray[np.int64]) -> Keys:
        """(B,) keys of the contexts that are a character on; or of any shapes that go together."""
        keys: Keys = nodes % self._longer * self._size + token_ids
        return keys

    def find(self, keys: Keys) -> Nodes:
        """(B,) keys as nodes: every one is known."""
        return keys

    def load_states(self, nodes: Nodes, state: State, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """No state is kept: (B,) times -1."""
        del state, rows
        return np.full(len(nodes), -1)


def fits(model: LanguageModel, memory_bytes: int) -> bool:
    """Whether a model has a context so short that all of it can be kept in float32."""
    if model.context is None:
        return False
    bits = (model.context + 1) * np.log2(model.config.vocab_size)
    return bool(bits < 62 and model.config.vocab_size ** (model.context + 1) * 4 <= memory_bytes)

"""Fixed-shape evaluation: the one way in which a served distribution is computed.

A matrix product of another height may round otherwise, so a distribution could
depend on how many names are in flight. Here every pass has ROWS rows, in use or
not, and float64 weights: what is left between two machines or libraries is
about 1e-14 of a probability, so a name differs with a probability around 1e-12.

In running text the boundary is no prediction: its logit is -inf before the softmax.

Shapes: ROWS rows, V = vocab_size.
"""

import numpy as np
import torch
from numpy.typing import NDArray

from models.base import LanguageModel, State
from models.sampling import Array, log_softmax
from models.vocabulary import BOUNDARY, Vocabulary

ROWS = 32
"""Rows of every pass: part of what a seed yields, so it changes with SAMPLER_VERSION only."""

NAME_LIMIT = 64
"""The longest name of a model whose context slides, in characters; fixed like ROWS."""

TEXT_LIMIT = 1000
"""The same for running text; fixed like ROWS."""


def longest_name(model: LanguageModel, vocabulary: Vocabulary) -> int:
    """The most characters a name, or an item of running text, of this model can have."""
    limit = NAME_LIMIT if vocabulary.ends else TEXT_LIMIT
    return limit if model.max_length is None else min(model.max_length, limit)


class Rows:
    """Names being read side by side, each at its own position.

    Args:
        model: in eval mode, on the device where it will run; float64, or a float32 copy where
            an approximation will do.
        vocabulary: the model's.
        heights: how many rows a pass can have, ascending; ROWS alone if not given, as for all
            that is served as it comes.
    """

    @torch.inference_mode()
    def __init__(
        self, model: LanguageModel, vocabulary: Vocabulary, heights: tuple[int, ...] | None = None
    ) -> None:
        self._model = model
        self._ends = vocabulary.ends
        self.heights = heights or (ROWS,)
        self._device = model.device
        self._state = model.initial_state(self.heights[-1])

    def __len__(self) -> int:
        """The most rows that a pass can have."""
        return self.heights[-1]

    @torch.inference_mode()
    def restart(self, rows: NDArray[np.int64]) -> None:
        """Put the given rows before their first character."""
        if not len(rows):
            return
        chosen = torch.from_numpy(rows).to(self._device)
        initial = self._model.initial_state(1)
        for tensor, first, axis in zip(self._state, initial, self._model.time_axes, strict=True):
            if axis is None:  # else what was read before is not looked at again
                tensor[chosen] = first

    @torch.inference_mode()
    def copy(self, sources: NDArray[np.int64], targets: NDArray[np.int64]) -> None:
        """Let (B,) target rows stand where (B,) other rows do."""
        before, after = (torch.from_numpy(rows).to(self._device) for rows in (sources, targets))
        for tensor in self._state:
            tensor[after] = tensor[before]

    @property
    def state(self) -> State:
        """Of the model, (len(self), ...) tensors; to be read, or written, between passes."""
        return self._state

    @torch.inference_mode()
    def advance(self, token_ids: NDArray[np.int64]) -> Array:
        """Read one more character in the first rows.

        Args:
            token_ids: (B,), B one of the heights; the boundary in a row that was just
                restarted. A row takes at most block_size of them, unless its context slides.

        Returns:
            (B, V) log-probabilities of the next character, of the model's dtype; -inf for the
            boundary in running text.
        """
        height = len(token_ids)
        inputs = torch.from_numpy(token_ids).to(self._device)
        before = tuple(tensor[:height] for tensor in self._state)
        predicted, after = self._model.step(inputs, before)
        if height == len(self):
            self._state = after
        else:
            for whole, old, new in zip(self._state, before, after, strict=True):
                if new.data_ptr() != old.data_ptr():  # else it was written in place
                    whole[:height] = new
        logits = predicted.cpu().numpy()
        if not self._ends:
            logits[:, BOUNDARY] = -np.inf
        return log_softmax(logits)


def boundaries() -> NDArray[np.int64]:
    """(ROWS,) boundary ids: what every row reads first."""
    return np.full(ROWS, BOUNDARY, dtype=np.int64)

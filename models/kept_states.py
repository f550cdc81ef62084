"""A model's state after some prefixes, so that a longer one need not be read from its start."""

import numpy as np
import torch
from numpy.typing import NDArray

from models.base import LanguageModel, State

Nodes = NDArray[np.int64]


class KeptStates:
    """The state after the prefixes of the nodes 0 to M - 1 of a prefix tree.

    Of a tensor that has a time axis, a node holds the entry of its last character alone;
    those before are its prefixes'.

    Args:
        model: whose states they are.
        capacity: M, >= 0. What is not filled takes no memory.
    """

    def __init__(self, model: LanguageModel, capacity: int) -> None:
        self._capacity = capacity
        self._axes = model.time_axes
        self._arrays = [np.empty((capacity, *one.shape), one.dtype) for one in _of_one(model)]

    def __len__(self) -> int:
        """M."""
        return self._capacity

    @property
    def nbytes(self) -> int:
        """Of all M states."""
        return sum(array.nbytes for array in self._arrays)

    @torch.inference_mode()
    def save(
        self, nodes: Nodes, depths: NDArray[np.int64], state: State, rows: NDArray[np.int64]
    ) -> None:
        """Keep the state of (B,) rows for (B,) nodes, prefixes of (B,) characters."""
        for array, tensor, axis in zip(self._arrays, state, self._axes, strict=True):
            if axis is None:
                array[nodes] = tensor[rows].cpu().numpy()
            else:
                array[nodes] = tensor.movedim(axis, 1)[rows, depths].cpu().numpy()

    @torch.inference_mode()
    def load(
        self, paths: Nodes, depths: NDArray[np.int64], state: State, rows: NDArray[np.int64]
    ) -> None:
        """Put what was kept into (B,) rows of a state, which may be of another dtype.

        Args:
            paths: (B, D) nodes of the prefixes by length; any kept one after the last.
            depths: (B,) characters of the prefixes that are meant.
            state: of the same model; is written to.
            rows: (B,).
        """
        last = paths[np.arange(len(paths)), depths]
        for array, tensor, axis in zip(self._arrays, state, self._axes, strict=True):
            if axis is None:
                tensor[rows] = torch.from_numpy(array[last]).to(tensor)
            else:
                # Entries after the last are not attended to: any will do there.
                known = torch.from_numpy(array[paths]).to(tensor)  # (B, D, ...)
                tensor.movedim(axis, 1)[rows, : paths.shape[1]] = known


def state_bytes(model: LanguageModel) -> int:
    """What a node's state takes."""
    return sum(one.nbytes for one in _of_one(model))


@torch.inference_mode()
def _of_one(model: LanguageModel) -> list[NDArray[np.generic]]:
    """What a node would hold of each tensor of the state."""
    state = zip(model.initial_state(1), model.time_axes, strict=True)
    return [
        (tensor if axis is None else tensor.select(axis, 0))[0].cpu().numpy()
        for tensor, axis in state
    ]

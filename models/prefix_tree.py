"""Prefix tree: what the model said after a prefix, kept for the names that share it.

Names share prefixes, so most of their characters are drawn after a prefix whose
distribution is known already. A node holds the log-probabilities after its prefix, bit
for bit as the model gave them: whether a character is drawn from here or from a pass
through the model decides how long it takes, and nothing else. The first nodes, which
more names come by than by any later ones, hold the model's state as well: a pass for a
longer prefix begins there.

Shapes: B nodes asked for, V = vocab_size, N nodes at most, of which the first M have a
state; D = the deepest one's depth + 1.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from models.base import LanguageModel, State
from models.sampling import Array

NONE = -1
"""No node: the prefix is not in the tree."""
ROOT = 0
"""The node of the empty prefix, the first to be added."""

Nodes = NDArray[np.int64]


class PrefixTree:
    """Next-character distributions by prefix, in flat arrays that are filled up to a budget.

    Args:
        model: whose they are, as it is served.
        memory_bytes: of the arrays at most, >= 0; at most half of it is for states. Where it is
            too little for a node, the tree stays empty. What is not filled takes no memory.
    """

    def __init__(self, model: LanguageModel, memory_bytes: int) -> None:
        size = model.config.vocab_size
        node_bytes = size * 12 + 12
        state = _state_of_one(model)
        state_bytes = sum(one.nbytes for one in state)
        kept = memory_bytes // max(node_bytes + state_bytes, 2 * state_bytes)
        self._capacity = (memory_bytes - kept * state_bytes) // node_bytes
        self._states = _States(state, model.time_axes, kept if state_bytes else self._capacity)
        # Pages of a large new array take no memory before they are written to.
        self._log_probs = np.empty((self._capacity, size))
        self._children = np.empty((self._capacity, size), dtype=np.int32)
        self._parents = np.empty(self._capacity, dtype=np.int32)
        self._depths = np.empty(self._capacity, dtype=np.int64)
        self._size = 0

    def __len__(self) -> int:
        """How many nodes there are."""
        return self._size

    @property
    def full(self) -> bool:
        """Whether no node can be added."""
        return self._size == self._capacity

    @property
    def root(self) -> int:
        """ROOT, or NONE while the tree is empty."""
        return ROOT if self._size else NONE

    def log_probs(self, nodes: Nodes) -> Array:
        """(B,) nodes, none of them NONE, to (B, V) log-probabilities, a copy."""
        return self._log_probs[nodes]

    def children(self, nodes: Nodes, token_ids: NDArray[np.int64]) -> Nodes:
        """(B,) nodes of the prefixes that are a character longer; NONE after NONE."""
        found = np.full(len(nodes), NONE, dtype=np.int64)
        known = nodes != NONE
        found[known] = self._children[nodes[known], token_ids[known]]
        return found

    def add(
        self,
        parents: Nodes,
        token_ids: NDArray[np.int64],
        log_probs: Array,
        state: State,
        rows: NDArray[np.int64],
    ) -> Nodes:
        """Add prefixes, as many of them as there is room for.

        Args:
            parents: (B,) the nodes of all but their last characters; NONE for the empty prefix.
            token_ids: (B,) these characters, no child of a parent yet, all prefixes different.
            log_probs: (B, V) after them.
            state: the model's after them, in its rows of `rows`.
            rows: (B,).

        Returns:
            The nodes of those that were added, the first ones.
        """
        count = min(len(parents), self._capacity - self._size)
        parents, token_ids, rows = parents[:count], token_ids[:count], rows[:count]
        nodes = np.arange(self._size, self._size + count)
        below = parents != NONE
        depths = np.where(below, self._depths[parents] + 1, 0)
        # First what may fail, on a device that is lost: a node that is there is there whole.
        kept = nodes < len(self._states)
        self._states.save(nodes[kept], depths[kept], state, rows[kept])
        self._log_probs[nodes] = log_probs[:count]
        self._children[nodes] = NONE
        self._parents[nodes] = np.maximum(parents, ROOT)
        self._depths[nodes] = depths
        self._children[parents[below], token_ids[below]] = nodes[below]
        self._size += count
        return nodes

    def load_states(self, nodes: Nodes, state: State, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Put the state after a prefix of each of (B,) nodes into (B,) rows of `state`.

        Returns:
            (B,) lengths of these prefixes, the longest that have one; -1 where none has, and
            the row is as it was.
        """
        nodes = nodes.copy()
        while (without := nodes >= len(self._states)).any():
            if not len(self._states):
                return np.full(len(nodes), -1)
            nodes[without] = self._parents[nodes[without]]
        depths = self._depths[nodes]
        self._states.load(self._paths(nodes, depths), depths, state, rows)
        return depths

    def _paths(self, nodes: Nodes, depths: NDArray[np.int64]) -> Nodes:
        """(B, D): of each node its prefixes by length, itself the last; then ROOT."""
        paths = np.full((len(nodes), depths.max(initial=0) + 1), ROOT)
        every = np.arange(len(nodes))
        for back in range(paths.shape[1]):
            paths[every, np.maximum(depths - back, 0)] = nodes
            nodes = self._parents[nodes].astype(np.int64)
        return paths


class _States:
    """A model's state after the prefixes of the first nodes.

    Of a tensor that has a time axis, a node holds the entry of its last character alone;
    those before are its prefixes'.

    Args:
        state: of one node, for shapes and dtypes.
        axes: the model's `time_axes`.
        capacity: M.
    """

    def __init__(
        self, state: Sequence[NDArray[np.generic]], axes: tuple[int | None, ...], capacity: int
    ) -> None:
        self._capacity = capacity
        self._axes = axes
        self._arrays = [np.empty((capacity, *one.shape), one.dtype) for one in state]

    def __len__(self) -> int:
        return self._capacity

    @torch.inference_mode()
    def save(
        self, nodes: Nodes, depths: NDArray[np.int64], state: State, rows: NDArray[np.int64]
    ) -> None:
        for array, tensor, axis in zip(self._arrays, state, self._axes, strict=True):
            if axis is None:
                array[nodes] = tensor[rows].cpu().numpy()
            else:
                array[nodes] = tensor.movedim(axis, 1)[rows, depths].cpu().numpy()

    @torch.inference_mode()
    def load(
        self, paths: Nodes, depths: NDArray[np.int64], state: State, rows: NDArray[np.int64]
    ) -> None:
        last = paths[np.arange(len(paths)), depths]
        for array, tensor, axis in zip(self._arrays, state, self._axes, strict=True):
            if axis is None:
                tensor[rows] = torch.from_numpy(array[last]).to(tensor.device)
            else:
                # Entries after the last are not attended to: the root's do there.
                known = torch.from_numpy(array[paths]).to(tensor.device)  # (B, D, ...)
                tensor.movedim(axis, 1)[rows, : paths.shape[1]] = known


@torch.inference_mode()
def _state_of_one(model: LanguageModel) -> list[NDArray[np.generic]]:
    """What a node would hold of each tensor of the state."""
    state = zip(model.initial_state(1), model.time_axes, strict=True)
    return [
        (tensor if axis is None else tensor.select(axis, 0))[0].cpu().numpy()
        for tensor, axis in state
    ]

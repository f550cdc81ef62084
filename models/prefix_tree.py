"""Prefix tree: what the model said after a prefix, kept for the names that share it.

Names share prefixes, so most of their characters are drawn after a prefix whose
distribution is known already. A node holds the log-probabilities after its prefix, evaluated
in float64 and rounded to float32 once: whoever draws by them knows how far they may be off,
and asks the model where that could matter (sampling.py, `draw_if_sure`). The first nodes,
which more names come by than by any later ones, hold the model's state as well: a pass for
a longer prefix begins there.

A prefix is found by its key, the node of all but its last character and that character,
in a hash table with linear probing.

Shapes: B prefixes asked for, V = vocab_size, N nodes at most, of which the first M have a
state; D = the deepest one's depth + 1.
"""

import math

import numpy as np
from numpy.typing import NDArray

from models.base import LanguageModel, State
from models.kept_states import KeptStates, Nodes, state_bytes
from models.sampling import Array, LogProbs

NONE = -1
"""No node: the prefix is not known."""
ROOT = 0
"""The node of the empty prefix, the first to be added."""

Keys = NDArray[np.int64]

_SLOTS_PER_NODE = 1.5
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # 2**64 over the golden ratio spreads successive keys
_HIGH = np.uint64(32)


class PrefixTree:
    """Next-character distributions by prefix, in flat arrays that are filled up to a budget.

    Args:
        model: whose they are, as it is served.
        memory_bytes: of the arrays at most, >= 0; at most a quarter of it is for states. Where
            it is too little for a node, the tree stays empty. What is not filled takes no
            memory.

    Attributes:
        error: how far a cumulative probability may be from the evaluated one: rounding a
            log-probability to float32 changes it by 2**-24 of itself at most, and the mean
            size of a log-probability, the entropy, is at most ln V.
        root_key: the key of the empty prefix.
    """

    root_key = -1

    def __init__(self, model: LanguageModel, memory_bytes: int) -> None:
        size = model.config.vocab_size
        self._node_bytes = math.ceil(size * 4 + 8 + 2 + 4 + 4 * _SLOTS_PER_NODE)
        of_state = state_bytes(model)
        kept = memory_bytes // 4 // of_state if of_state else 0
        self._capacity = max(0, memory_bytes - kept * of_state - 8) // self._node_bytes
        self._states = KeptStates(model, kept if of_state else self._capacity)
        self.error = 2.0**-24 * math.log(size)
        # Pages of a large new array take no memory before they are written to.
        self._log_probs = np.empty((self._capacity, size), dtype=np.float32)
        self._keys = np.empty(self._capacity, dtype=np.int64)
        self._depths = np.empty(self._capacity, dtype=np.uint16)
        self._reached = np.empty(self._capacity, dtype=np.float32)
        # Two more, so that one is free: a search ends there.
        slots = int(self._capacity * _SLOTS_PER_NODE) + 2 if self._capacity else 0
        self._slots = np.full(slots, NONE, dtype=np.int32)
        self._size = 0

    def __len__(self) -> int:
        """How many nodes there are."""
        return self._size

    @property
    def full(self) -> bool:
        """Whether no node can be added."""
        return self._size == self._capacity

    @property
    def nbytes(self) -> int:
        """Of what is filled, about: the rest takes no memory yet."""
        of_states = self._states.nbytes * min(self._size, len(self._states))
        return self._size * self._node_bytes + of_states // max(1, len(self._states))

    def log_probs(self, nodes: Nodes) -> LogProbs:
        """(B,) nodes, none of them NONE, to (B, V) log-probabilities, a copy."""
        return self._log_probs[nodes]

    def keys(self, nodes: Nodes, token_ids: NDArray[np.int64]) -> Keys:
        """(B,) keys of the prefixes that are a character longer than (B,) nodes, none NONE."""
        return nodes * self._log_probs.shape[1] + token_ids

    def find(self, keys: Keys) -> Nodes:
        """(B,) keys to nodes, NONE where there is none yet."""
        if not self._size:
            return np.full(len(keys), NONE)
        at = self._first_slots(keys)
        nodes = self._slots[at].astype(np.int64)
        probing = np.flatnonzero((nodes != NONE) & (self._keys[nodes] != keys))
        while len(probing):
            at[probing] = (at[probing] + 1) % len(self._slots)
            found = self._slots[at[probing]]
            nodes[probing] = found
            probing = probing[(found != NONE) & (self._keys[found] != keys[probing])]
        return nodes

    def add(self, keys: Keys, log_probs: Array, state: State, rows: NDArray[np.int64]) -> Nodes:
        """Add prefixes, as many of them as there is room for.

        Args:
            keys: (B,) different ones, which are not known yet.
            log_probs: (B, V) after them.
            state: the model's after them, in its rows of `rows`.
            rows: (B,).

        Returns:
            The nodes of those that were added, the first ones.
        """
        count = min(len(keys), self._capacity - self._size)
        keys, rows, log_probs = keys[:count], rows[:count], log_probs[:count]
        nodes = np.arange(self._size, self._size + count)
        below = keys != self.root_key
        parents, token_ids = np.divmod(np.maximum(keys, 0), self._log_probs.shape[1])
        depths = np.where(below, self._depths[parents] + 1, 0)
        # First what may fail, on a device that is lost: a node that is there is there whole.
        kept = nodes < len(self._states)
        self._states.save(nodes[kept], depths[kept], state, rows[kept])
        self._log_probs[nodes] = log_probs
        self._keys[nodes] = keys
        self._depths[nodes] = depths
        self._reached[nodes] = 0
        parents, token_ids = parents[below], token_ids[below]
        self._reached[nodes[below]] = self._reached[parents] + self._log_probs[parents, token_ids]
        self._insert(keys, nodes)
        self._size += count
        return nodes

    def load_states(self, nodes: Nodes, state: State, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Put the state after a prefix of each of (B,) nodes, or NONE, into (B,) rows of `state`.

        Returns:
            (B,) lengths of these prefixes, the longest that have one; -1 where none has, and
            the row is as it was.
        """
        if not len(self._states):
            return np.full(len(nodes), -1)
        nodes = nodes.copy()
        while (without := nodes >= len(self._states)).any():
            nodes[without] = self.parents(self._keys[nodes[without]])
        known = nodes != NONE
        nodes, depths = nodes[known], np.full(len(nodes), -1)
        depths[known] = self._depths[nodes]
        if len(nodes):
            self._states.load(self.paths(nodes), depths[known], state, rows[known])
        return depths

    def paths(self, nodes: Nodes) -> Nodes:
        """(B, D): of each node its prefixes by length, itself the last; then ROOT."""
        depths = self._depths[nodes].astype(np.int64)
        paths = np.full((len(nodes), depths.max(initial=0) + 1), ROOT)
        every = np.arange(len(nodes))
        for back in range(paths.shape[1]):
            paths[every, np.maximum(depths - back, 0)] = nodes
            nodes = np.maximum(self.parents(self._keys[nodes]), ROOT)
        return paths

    def token_ids(self, keys: Keys) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(B,) keys to the (B, D) characters of their prefixes, and (B,) the lengths of these."""
        if not self._size:  # no key but the root's
            return np.zeros((len(keys), 0), dtype=np.int64), np.zeros(len(keys), dtype=np.int64)
        nodes, last = np.divmod(keys, self._log_probs.shape[1])
        lengths = self._depths[nodes].astype(np.int64)
        token_ids = np.zeros((len(keys), lengths.max(initial=0) + 1), dtype=np.int64)
        token_ids[:, :-1] = (self._keys[self.paths(nodes)] % self._log_probs.shape[1])[:, 1:]
        token_ids[np.arange(len(keys)), lengths] = last
        return token_ids, lengths + 1

    def likely(self, first: int, last: int, threshold: float, longest: int) -> Keys:
        """Prefixes that many names have, but the tree has not.

        Args:
            first, last: a character longer than the nodes from `first` to before `last`.
            threshold: ln of the share of names that begin so, at least.
            longest: of the prefixes, in characters.

        Returns:
            Their keys, ascending; the boundary follows in none.
        """
        last = min(last, self._size)
        reached = self._reached[first:last, None] + self._log_probs[first:last, 1:]
        reached[self._depths[first:last] >= longest] = -np.inf
        nodes, token_ids = np.nonzero(reached >= threshold)
        keys = self.keys(nodes + first, token_ids + 1)
        lacking: Keys = keys[self.find(keys) == NONE]
        return lacking

    def likeliest(self, nodes: Nodes, longest: int) -> tuple[NDArray[np.int64], Array]:
        """What mostly follows (B,) nodes: (B,) characters, and ln of the share of names there.

        -inf where a prefix would have more than `longest` characters.
        """
        token_ids = self._log_probs[nodes, 1:].argmax(axis=1) + 1
        reached = self._reached[nodes] + self._log_probs[nodes, token_ids]
        return token_ids, np.where(self._depths[nodes] < longest, reached, -np.inf)

    def parents(self, keys: Keys) -> Nodes:
        """(B,) keys to the nodes of all but their last characters; NONE for the root's."""
        nodes: Nodes = keys // self._log_probs.shape[1]
        return nodes

    def _first_slots(self, keys: Keys) -> NDArray[np.int64]:
        """Where each of (B,) keys is looked for first."""
        spread = (keys.astype(np.uint64) * _GOLDEN) >> _HIGH
        # The high half of a product is as even as a remainder, and quicker.
        return ((spread * np.uint64(len(self._slots))) >> _HIGH).astype(np.int64)

    def _insert(self, keys: Keys, nodes: Nodes) -> None:
        at = self._first_slots(keys)
        while len(nodes):
            free = self._slots[at] == NONE
            self._slots[at[free]] = nodes[free]  # of several at one slot the last one stays
            left = self._slots[at] != nodes
            at, nodes = (at[left] + 1) % len(self._slots), nodes[left]

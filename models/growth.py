"""Growth: which prefixes a prefix tree should know next, the likeliest first."""

import math

import numpy as np
from numpy.typing import NDArray

from models.kept_states import Nodes
from models.prefix_tree import Keys, PrefixTree

_SCANNED = 4096
"""Nodes that are looked at together."""
_STEP = math.log(8)
_LEAST = -60.0
"""ln of a share that no name has; where it is reached, everything likelier is known."""


class Growth:
    """Proposes prefixes in rounds, in each those down to an eighth of the last one's share.

    Args:
        tree: that is to grow; it may do so by other ways as well.
        longest: characters of a prefix that is worth knowing, at most.
    """

    def __init__(self, tree: PrefixTree, longest: int) -> None:
        self._tree = tree
        self._longest = longest
        self._threshold = -_STEP
        self._next = 0  # node to look at
        self._found: Keys = np.empty(0, dtype=np.int64)

    @property
    def over(self) -> bool:
        """Whether there is nothing more to know, or no more room."""
        return self._tree.full or self._threshold < _LEAST

    def propose(self, count: int) -> Keys:
        """At most `count` keys; none if it is over, or if those next in turn are known by now.

        They are not proposed again before the next round.
        """
        if not len(self._tree):
            return np.array([self._tree.root_key])
        while not len(self._found) and not self.over:
            self._look()
        keys, self._found = self._found[:count], self._found[count:]
        return keys[self._tree.find(keys) < 0]

    def take_back(self, keys: Keys) -> None:
        """Propose some keys again, which there was no time for; the root's comes by itself."""
        self._found = np.concatenate([keys[keys != self._tree.root_key], self._found])

    def further(self, nodes: Nodes) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
        """Whether (B,) nodes just added should be gone on from, and by which characters.

        Who has read up to there need not read it again.
        """
        if not len(nodes):
            return np.zeros(0, dtype=bool), nodes
        token_ids, reached = self._tree.likeliest(nodes, self._longest)
        return (reached >= self._threshold) & (not self._tree.full), token_ids

    def _look(self) -> None:
        first, self._next = self._next, min(self._next + _SCANNED, len(self._tree))
        if first < self._next:
            self._found = self._tree.likely(first, self._next, self._threshold, self._longest)
        else:  # what was added meanwhile has been looked at too
            self._next = 0
            self._threshold -= _STEP

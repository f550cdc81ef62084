"""Words that share a prefix which the model is still to read, and whose turn it is.

Turns: scorings are given a branch each, one after the other, whatever they have waiting.
"""

from collections import deque
from dataclasses import dataclass

import numpy as np

from models.base import State
from models.score import Scoring
from models.words_in_flight import Slots, WordsInFlight


@dataclass(eq=False)
class Fork:
    """Where words part.

    Attributes:
        state: the model's after what they share; of one row, without that axis.
        read: characters that they share, and one.
        waiting: how many branches begin with it and have not.
    """

    state: State
    read: int
    waiting: int = 0


@dataclass(eq=False)
class Branch:
    """Words that share the beginning of what is to be read.

    Attributes:
        slots: theirs; none, once a row reads for them.
        fork: where to begin, if it was kept; else the tree knows.
    """

    slots: Slots
    fork: Fork | None = None


class Branches:
    """Those that wait for a row.

    Args:
        words: that they are of.
    """

    def __init__(self, words: WordsInFlight) -> None:
        self._words = words
        self._turns: deque[Scoring] = deque()  # the next one first
        self._waiting: dict[Scoring, list[Branch]] = {}
        self.forks = 0
        """How many states are kept for them."""

    def add(self, scoring: Scoring) -> None:
        """Let a scoring take part."""
        self._turns.append(scoring)
        self._waiting[scoring] = []

    def remove(self, scoring: Scoring) -> None:
        """Forget a scoring, and its words in branches that others wait for as well."""
        self._turns.remove(scoring)
        slots = self._words.of(scoring)
        for branch in self._waiting.pop(scoring):
            waited = len(branch.slots) > 0
            branch.slots = branch.slots[~np.isin(branch.slots, slots)]
            if waited and not len(branch.slots):
                self._leave_fork(branch)

    def put(self, branch: Branch) -> None:
        """Let a branch wait, for every scoring that has a word in it."""
        if branch.fork:
            self.forks += branch.fork.waiting == 0
            branch.fork.waiting += 1
        for scoring in set(self._words.scoring[branch.slots].tolist()):
            self._waiting[scoring].append(branch)

    def take(self) -> Branch | None:
        """The latest of the scoring whose turn it is, so that few wait at a time; None: none do.

        It is a copy, which still has the slots.
        """
        for _ in range(len(self._turns)):
            scoring = self._turns[0]
            self._turns.rotate(-1)
            if branch := self._latest(scoring):
                return branch
        return None

    def _latest(self, scoring: Scoring) -> Branch | None:
        waiting = self._waiting[scoring]
        while waiting:
            branch = waiting.pop()
            if len(branch.slots):  # else it was taken when it was another's turn
                taken = Branch(branch.slots, branch.fork)
                branch.slots = branch.slots[:0]
                self._leave_fork(branch)
                return taken
        return None

    def _leave_fork(self, branch: Branch) -> None:
        if branch.fork:
            branch.fork.waiting -= 1
            self.forks -= branch.fork.waiting == 0
            branch.fork = None

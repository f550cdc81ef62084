"""How surprised a model is by words, those of many requests side by side.

A word reads on in the prefix tree as far as that goes, all words at once. Those that leave
the tree after the same prefix are a branch: a row of the model reads that prefix, beginning
at the last one whose state is kept, and goes on with all of them. Where they part, the row
goes on with some, and the others are branches again, which begin at a copy of the row's state:
no prefix that words share is evaluated for each of them.

A tree is full of what its model thinks probable; callers' words add nothing to it.

Turns: slots and rows go to the requests in turn, one at a time, so one of a thousand words
holds up one of a single word by the rest of the words in its rows at most.
"""

from collections import deque
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray

from models.base import LanguageModel
from models.branches import Branch, Branches, Fork
from models.context_table import ContextTable
from models.prefix_tree import NONE, PrefixTree
from models.rows import ROWS, Rows, boundaries, longest_name
from models.score import Score, Scoring
from models.vocabulary import BOUNDARY, Vocabulary
from models.words_in_flight import Slots, WordsInFlight

_SLOTS = 1024
"""Words in flight at most."""
_WALKED = 1 << 18
"""Probabilities that a step looks at in the tree, about: some milliseconds."""
_FORK_BYTES = 16 << 20
"""Of states that are copied for branches; those that find no room read their prefix again."""

_NO_SLOTS = np.empty(0, dtype=np.int64)


class Scorer:
    """Scores the words of all scorings of one model.

    Args:
        model: in eval mode, float64, on its device.
        vocabulary: the model's.
        tree: of the model; it may grow between steps.
    """

    def __init__(
        self, model: LanguageModel, vocabulary: Vocabulary, tree: PrefixTree | ContextTable
    ) -> None:
        self._model, self._vocabulary, self._tree = model, vocabulary, tree
        self._size = len(vocabulary)
        self._limit = longest_name(model, vocabulary)
        self._scorings: deque[Scoring] = deque()  # the next to be admitted first
        self._words = WordsInFlight(_SLOTS, self._limit)
        self._branches = Branches(self._words)
        self._ready = _NO_SLOTS  # words that can go on in the tree
        self._rows: Rows | None = None
        self._row = np.full(_SLOTS, NONE, dtype=np.int64)  # that reads for each slot
        self._read = np.full(ROWS, self._limit + 1, dtype=np.int64)  # characters, by each row
        self._inputs = boundaries()

    @property
    def busy(self) -> bool:
        """Whether a scoring is under way."""
        return bool(self._scorings)

    def add(self, scoring: Scoring) -> None:
        """Queue a scoring made for this scorer's model."""
        self._scorings.append(scoring)
        self._branches.add(scoring)

    def remove(self, scoring: Scoring) -> None:
        """Forget a scoring that is under way; its rows are free again."""
        self._scorings.remove(scoring)
        self._branches.remove(scoring)
        slots = self._words.of(scoring)
        self._ready = self._ready[~np.isin(self._ready, slots)]
        self._row[slots] = NONE
        self._words.release(slots)

    def clear(self) -> None:
        """Forget every scoring, after a step that failed."""
        for scoring in list(self._scorings):
            self.remove(scoring)
        self._rows = None  # another one begins anew
        self._read[:] = self._limit + 1

    def step(self) -> list[Scoring]:
        """Read what the tree knows, and a character in each row; the scorings it completes."""
        self._walk(np.concatenate([self._ready, self._admit()]))
        self._fill_rows()
        self._advance()
        completed = [scoring for scoring in self._scorings if scoring.done]
        for scoring in completed:
            self.remove(scoring)
        return completed

    def _admit(self) -> Slots:
        """Begin words of the scorings in turn; their slots."""
        admitted = [_NO_SLOTS]
        passed = 0  # scorings in a row that have no more
        while self._words.free and passed < len(self._scorings):
            scoring = self._scorings[0]
            self._scorings.rotate(-1)
            share = max(1, self._words.free // len(self._scorings))
            if count := min(scoring.wanted, share):
                admitted.append(self._words.admit(scoring, count))
            passed = 0 if count else passed + 1
        return np.concatenate(admitted)

    def _walk(self, slots: Slots) -> None:
        """Read in the tree until each word has ended, or has left the tree and waits."""
        if not len(slots):
            return
        most = max(1, _WALKED // self._size)
        slots, later = slots[:most], slots[most:]
        left = [_NO_SLOTS]
        looked_at = 0
        while len(slots) and looked_at < _WALKED:
            nodes = self._next_nodes(slots)
            known = nodes != NONE
            left.append(slots[~known])
            slots, nodes = slots[known], nodes[known]
            self._words.node[slots] = nodes
            self._words.read(slots, self._tree.log_probs(nodes).astype(np.float32, copy=False))
            looked_at += len(slots) * self._size
            slots = slots[~self._words.finish(slots)]
        self._ready = np.concatenate([later, slots])
        self._wait(np.concatenate(left))

    def _next_nodes(self, slots: Slots) -> NDArray[np.int64]:
        """Of all that each has read; NONE where the tree has no such node."""
        keys = self._tree.keys(self._words.node[slots], self._words.last(slots))
        return self._tree.find(np.where(self._words.position[slots], keys, self._tree.root_key))

    def _wait(self, slots: Slots) -> None:
        """Let words that have left the tree wait for rows, those together that left one node.

        The longest will be taken first, lest they be read alone when all others have ended.
        """
        slots = slots[np.argsort(-self._words.remaining(slots), kind="stable")]
        branches = _by_key(slots, self._words.node[slots])
        longest = self._words.remaining(np.array([some[0] for some in branches], dtype=np.int64))
        for i in np.argsort(longest, kind="stable").tolist():
            self._branches.put(Branch(branches[i]))

    def _fill_rows(self) -> None:
        """Give idle rows to branches, and leave each row to words that it can go on with."""
        self._part()
        while self._take():
            self._part()

    def _take(self) -> bool:
        """Give idle rows to branches; whether there were any."""
        begun: dict[int, int] = {}  # rows, and a slot of each
        taken = False
        idle = np.flatnonzero(self._held() == 0).tolist()
        while idle and (branch := self._branches.take()):
            row = idle.pop()
            self._row[branch.slots] = row
            if branch.fork:
                self._copy(branch.fork, row)
            else:
                begun[row] = branch.slots[0]
            taken = True
        if begun:
            self._begin(np.array(list(begun)), np.array(list(begun.values())))
        return taken

    def _begin(self, rows: NDArray[np.int64], slots: Slots) -> None:
        """Put rows where the tree knows the model's state, as late in a word as may be."""
        self._read[rows] = self._limit + 1  # to be restarted, unless
        within = self._words.node[slots] != NONE
        rows, slots = rows[within], slots[within]
        lengths = self._tree.load_states(self._words.node[slots], self._reader().state, rows)
        known = lengths >= 0
        self._read[rows[known]] = lengths[known] + 1

    @torch.inference_mode()
    def _copy(self, fork: Fork, row: int) -> None:
        """Put a row where words have parted."""
        for tensor, kept in zip(self._reader().state, fork.state, strict=True):
            tensor[row] = kept
        self._read[row] = fork.read

    def _part(self) -> None:
        """Leave each row to those of its words that agree on the character it is to read."""
        if self._held().max() <= 1:
            return
        slots = np.flatnonzero(self._row != NONE)
        rows = self._row[slots]
        staying: set[int] = set()
        forks: dict[int, Fork] = {}
        for together in _by_key(slots, rows * self._size + self._next(slots)):
            row = int(self._row[together[0]])
            if row in staying:
                self._row[together] = NONE
                self._branches.put(Branch(together, self._fork(row, forks)))
            staying.add(row)

    def _held(self) -> NDArray[np.int64]:
        """(ROWS,) for how many words each row reads."""
        return np.bincount(self._row + 1, minlength=ROWS + 1)[1:]  # the first counts NONE

    def _next(self, slots: Slots) -> NDArray[np.int64]:
        """(B,) what the rows of (B,) slots are to read: the boundary, if they are restarted."""
        read = self._read[self._row[slots]]
        restarted = (read == 0) | (read > self._limit)
        return np.where(restarted, BOUNDARY, self._words.token_ids[slots, read - 1])

    @torch.inference_mode()
    def _fork(self, row: int, forks: dict[int, Fork]) -> Fork | None:
        """A copy of a row's state, one for all branches; None where there is no room for it."""
        state = self._reader().state
        row_bytes = sum(tensor.nbytes for tensor in state) // ROWS
        if row not in forks and self._branches.forks * row_bytes < _FORK_BYTES:
            copied = tuple(tensor[row].clone() for tensor in state)
            forks[row] = Fork(copied, int(self._read[row]))
        return forks.get(row)

    def _reader(self) -> Rows:
        """Made when they are first needed, for they take memory."""
        if not self._rows:
            self._rows = Rows(self._model, self._vocabulary)
        return self._rows

    def _advance(self) -> None:
        """Read a character in every row; the words that it has caught up with predict."""
        slots = np.flatnonzero(self._row != NONE)
        if not len(slots):
            return
        # An idle row reads on like any other and starts over when its context is full.
        self._inputs[:] = BOUNDARY
        self._inputs[self._row[slots]] = self._next(slots)
        full = np.flatnonzero(self._read > self._limit)
        self._reader().restart(full)
        self._read[full], self._inputs[full] = 0, BOUNDARY
        log_probs = self._reader().advance(self._inputs).astype(np.float32)
        slots = slots[self._read[self._row[slots]] == self._words.position[slots]]
        self._words.read(slots, log_probs[self._row[slots]])
        self._row[slots[self._words.finish(slots)]] = NONE
        self._read += 1


def score(
    model: LanguageModel, vocabulary: Vocabulary, words: Sequence[str], parameter: str = "words"
) -> list[Score]:
    """Score some words.

    Args:
        model: in eval mode, float64.
        vocabulary: the model's.
        words: each 1 to `longest_name(model, vocabulary)` characters of the alphabet.
        parameter: what an error calls the list.

    Returns:
        A score a word, in order; the same bits whatever else is in the list.

    Raises:
        ParameterError: naming `parameter[i]`, the first word at fault.
    """
    scoring = Scoring(model, vocabulary, words, parameter)
    scorer = Scorer(model, vocabulary, PrefixTree(model, 0))
    scorer.add(scoring)
    while not scoring.done:
        scorer.step()
    return scoring.result()


def _by_key(slots: Slots, keys: NDArray[np.int64]) -> list[Slots]:
    """Slots with the same key together, by ascending keys."""
    order = np.argsort(keys, kind="stable")
    slots, keys = slots[order], keys[order]
    ends = [*np.flatnonzero(keys[1:] != keys[:-1]) + 1, len(keys)]
    return [slots[first:last] for first, last in pairwise([0, *ends]) if last]

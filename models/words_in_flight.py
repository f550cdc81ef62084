"""The words that are being scored, as arrays: what each has read, and what was said of it.

Shapes: S slots, B of them, V = vocab_size, T = limit + 1 predictions at most.
"""

from itertools import chain

import numpy as np
from numpy.typing import NDArray

from models.prediction import Prediction
from models.prefix_tree import NONE
from models.score import LIKELIEST, Scoring

Slots = NDArray[np.int64]
LogProbs = NDArray[np.float32]


class WordsInFlight:
    """A fixed number of slots, a word each.

    Args:
        slots: S, how many there are.
        limit: characters of a word at most.

    Attributes, one entry a slot:
        scoring: whose word it is; None where there is none.
        token_ids: (S, T) int64, what is to be predicted.
        position: how much of it has been.
        node: of the prefix tree: the longest prefix of it that is known there.
    """

    def __init__(self, slots: int, limit: int) -> None:
        self.scoring = np.full(slots, None, dtype=object)
        self.token_ids = np.zeros((slots, limit + 1), dtype=np.int64)
        self.position = np.zeros(slots, dtype=np.int64)
        self.node = np.full(slots, NONE, dtype=np.int64)
        self._index = np.zeros(slots, dtype=np.int64)
        self._length = np.zeros(slots, dtype=np.int64)
        self._nlls = np.zeros((slots, limit + 1), dtype=np.float32)
        self._ranks = np.zeros((slots, limit + 1), dtype=np.int32)
        self._wants_likeliest = np.zeros(slots, dtype=bool)
        self._free = list(range(slots))
        self._whole: set[int] = set()  # slots of predictions

    @property
    def free(self) -> int:
        """How many slots have no word."""
        return len(self._free)

    def admit(self, scoring: Scoring, count: int) -> Slots:
        """Begin the next `count` words of a scoring, at most as many as are free; their slots."""
        slots = np.array([self._free.pop() for _ in range(count)], dtype=np.int64)
        first, predicted = scoring.admit(count)
        lengths = np.array([len(token_ids) for token_ids in predicted])
        padded = np.zeros((count, lengths.max()), dtype=np.int64)
        padded[np.arange(padded.shape[1]) < lengths[:, None]] = list(chain(*predicted))
        self.scoring[slots] = scoring
        self.token_ids[slots, : padded.shape[1]] = padded
        self.position[slots] = 0
        self.node[slots] = NONE
        self._index[slots] = np.arange(first, first + count)
        self._length[slots] = lengths
        self._wants_likeliest[slots] = scoring.wants_likeliest
        if isinstance(scoring, Prediction):
            self._whole.update(slots.tolist())
        return slots

    def release(self, slots: Slots) -> None:
        """Forget the words in some slots."""
        self.scoring[slots] = None
        self._free.extend(slots.tolist())
        if self._whole:
            self._whole.difference_update(slots.tolist())

    def of(self, scoring: Scoring) -> Slots:
        """The slots of a scoring."""
        return np.flatnonzero(self.scoring == scoring)

    def last(self, slots: Slots) -> NDArray[np.int64]:
        """(B,) what each of (B,) slots read last; of no meaning before the first character."""
        return self.token_ids[slots, self.position[slots] - 1]

    def remaining(self, slots: Slots) -> NDArray[np.int64]:
        """(B,) how many predictions each of (B,) slots lacks."""
        return self._length[slots] - self.position[slots]

    def read(self, slots: Slots, log_probs: LogProbs) -> None:
        """One more prediction of each word.

        Args:
            slots: (B,), all different.
            log_probs: (B, V) float32 after what each has read.
        """
        if self._whole:
            self._read_whole(slots, log_probs)
        positions = self.position[slots]
        came = log_probs[np.arange(len(slots)), self.token_ids[slots, positions]]
        self._nlls[slots, positions] = np.maximum(0.0 - came, 0.0)  # never -0
        self._ranks[slots, positions] = 1 + (log_probs > came[:, None]).sum(1)
        if (wanting := self._wants_likeliest[slots]).any():
            self._tell_likeliest(slots[wanting], positions[wanting], log_probs[wanting])
        self.position[slots] += 1

    def _tell_likeliest(
        self, slots: Slots, positions: NDArray[np.int64], log_probs: LogProbs
    ) -> None:
        token_ids, likeliest = _likeliest(log_probs)
        scorings = self.scoring[slots]
        for scoring in set(scorings.tolist()):
            own = scorings == scoring
            scoring.note_likeliest(
                self._index[slots[own]], positions[own], token_ids[own], likeliest[own]
            )

    def _read_whole(self, slots: Slots, log_probs: LogProbs) -> None:
        """Hand in what predictions ask for, of those that have read their prefix."""
        for i in np.flatnonzero(self.remaining(slots) == 1).tolist():
            if int(slots[i]) in self._whole:
                self.scoring[slots[i]].log_probs = log_probs[i].copy()

    def finish(self, slots: Slots) -> NDArray[np.bool_]:
        """Hand in the words that have been predicted to their end, and free their slots.

        Returns:
            (B,) which of the slots are free now.
        """
        over = self.remaining(slots) == 0
        done = slots[over]
        lengths = self._length[done]
        longest = lengths.max(initial=0)
        found = zip(
            self.scoring[done], self._index[done].tolist(), lengths.tolist(),
            self._nlls[done, :longest].tolist(), self._ranks[done, :longest].tolist(), strict=True,
        )  # fmt: skip
        for scoring, index, length, nlls, ranks in found:
            scoring.finish(index, nlls[:length], ranks[:length])
        self.release(done)
        return np.asarray(over)


def _likeliest(log_probs: LogProbs) -> tuple[NDArray[np.int64], LogProbs]:
    """Of (B, V): (B, LIKELIEST) ids by falling probability, ties by id, and what they have."""
    left = log_probs.copy()
    rows = np.arange(len(left))
    token_ids = np.zeros((len(left), LIKELIEST), dtype=np.int64)
    found = np.full((len(left), LIKELIEST), -np.inf, dtype=np.float32)
    for place in range(min(LIKELIEST, left.shape[1])):  # a sort would look at all of V
        token_ids[:, place] = left.argmax(axis=1)
        found[:, place] = left[rows, token_ids[:, place]]
        left[rows, token_ids[:, place]] = -np.inf
    return token_ids, found

"""Rows that read prefixes, each up to an end of its own, and say what comes after them."""

import numpy as np
from numpy.typing import NDArray

from models.base import State
from models.prefix_tree import NONE
from models.rows import Rows
from models.sampling import Array
from models.vocabulary import BOUNDARY

Indexes = NDArray[np.int64]


class Readers:
    """As many readers as there are rows.

    Args:
        rows: theirs alone.
        limit: characters of a prefix at most.

    Attributes, one entry a reader:
        owner: a number for whom it reads; NONE: for no one.
    """

    def __init__(self, rows: Rows, limit: int) -> None:
        self._rows = rows
        self._limit = limit
        self.owner = np.full(len(rows), NONE, dtype=np.int64)
        self._token_ids = np.zeros((len(rows), limit + 1), dtype=np.int64)
        self._length = np.zeros(len(rows), dtype=np.int64)  # of the prefix
        # Of the boundary and the prefix together; at first as if it were to be restarted.
        self._read = np.full(len(rows), limit + 1, dtype=np.int64)

    @property
    def state(self) -> State:
        """The model's, in its rows; valid for a reader that has just come to its end."""
        return self._rows.state

    @property
    def idle(self) -> Indexes:
        """Those that read for no one, ascending."""
        return np.flatnonzero(self.owner == NONE)

    @property
    def busy(self) -> int:
        """How many read for someone."""
        return int((self.owner != NONE).sum())

    def begin(
        self, readers: Indexes, owners: Indexes, token_ids: NDArray[np.int64], lengths: Indexes
    ) -> None:
        """Let idle readers read from the start.

        Args:
            readers: (B,), idle ones.
            owners: (B,), none of them NONE.
            token_ids: (B, at least the longest length), the prefixes' characters.
            lengths: (B,) of the prefixes.
        """
        self.owner[readers] = owners
        self._length[readers] = lengths
        width = int(lengths.max(initial=0))
        self._token_ids[readers, :width] = token_ids[:, :width]
        self._read[readers] = self._limit + 1

    def skip(self, readers: Indexes, lengths: Indexes) -> None:
        """Go on after a state that was written to `state`.

        Args:
            readers: (B,) that have just begun.
            lengths: (B,) of the prefixes that it is after, shorter than theirs; -1: none was
                written.
        """
        known = lengths >= 0
        self._read[readers[known]] = lengths[known] + 1

    def follow(self, readers: Indexes, token_ids: Indexes) -> None:
        """Let (B,) readers that have come to their end read (B,) characters more."""
        self._token_ids[readers, self._length[readers]] = token_ids
        self._length[readers] += 1

    def release(self, readers: Indexes) -> None:
        """Make some idle, and have them start over: a pass is quicker the less rows have read."""
        self.owner[readers] = NONE
        self._read[readers] = self._limit + 1

    def reset(self) -> None:
        """Make all idle, and start over whatever they read."""
        self.owner[:] = NONE
        self._read[:] = self._limit + 1

    def advance(self) -> tuple[Indexes, Array]:
        """Read a character each.

        Returns:
            (B,) readers that have come to their end, ascending, and (B, V) the
            log-probabilities there. Who reads for whom may have changed.
        """
        height = next(height for height in self._rows.heights if height >= self.busy)
        self._move_below(height)
        read = self._read[:height]  # a view
        # An idle one reads on like any other, and starts over when its context is full.
        full = np.flatnonzero(read > self._limit)
        self._rows.restart(full)
        read[full] = 0
        inputs = self._token_ids[np.arange(height), np.maximum(read - 1, 0)]
        inputs[read == 0] = BOUNDARY
        log_probs = self._rows.advance(inputs)
        ended = np.flatnonzero((read == self._length[:height]) & (self.owner[:height] != NONE))
        read += 1
        return ended, log_probs[ended]

    def _move_below(self, height: int) -> None:
        """Let the first `height` readers, which are enough, do the work of those after them."""
        late = height + np.flatnonzero(self.owner[height:] != NONE)
        if not len(late):
            return
        free = self.idle[: len(late)]
        for of_readers in (self.owner, self._token_ids, self._length, self._read):
            of_readers[free] = of_readers[late]
        self._rows.copy(late, free)
        self.release(late)

"""The names that are being drawn, as arrays: what each has read, and where it stands."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from models.prefix_tree import NONE
from models.randomness import uniforms
from models.request import GeneratedName, Job
from models.sampling import Array, SamplingParams, draw, probabilities
from models.vocabulary import BOUNDARY, Vocabulary

Slots = NDArray[np.int64]
TokenIds = NDArray[np.int64]


class NamesInFlight:
    """A fixed number of slots, a name each.

    Args:
        slots: S, how many there are.
        limit: characters of a name at most.
        vocabulary: their alphabet.

    Attributes, one entry a slot:
        job: whose name it is; None where there is none.
        token_ids: (S, limit + 1), its characters and its end; the forced ones are there
            from the start.
        position: how many of them it has read.
        node: of the prefix tree: the longest prefix of them that is known there.
    """

    def __init__(self, slots: int, limit: int, vocabulary: Vocabulary) -> None:
        self.job = np.full(slots, None, dtype=object)
        self.token_ids = np.zeros((slots, limit + 1), dtype=np.int64)
        self.position = np.zeros(slots, dtype=np.int64)
        self.node = np.full(slots, NONE, dtype=np.int64)
        self._vocabulary = vocabulary
        self._index = np.zeros(slots, dtype=np.int64)
        self._nll = np.zeros(slots)
        self._uniforms = np.zeros((slots, limit + 1))
        self._forced = np.zeros(slots, dtype=np.int64)
        self._max_length = np.zeros(slots, dtype=np.int64)
        self._sampling = np.zeros((slots, 4))
        self._free = list(range(slots))

    @property
    def free(self) -> int:
        """How many slots have no name."""
        return len(self._free)

    def admit(self, job: Job, count: int) -> Slots:
        """Begin the next `count` names of a job, at most as many as are free; their slots."""
        slots = np.array([self._free.pop() for _ in range(count)], dtype=np.int64)
        first, length = job.admit(count), job.max_length + 1  # its end needs a uniform too
        indexes = np.arange(first, first + count)
        self.job[slots] = job
        self.token_ids[slots, : len(job.prefix)] = job.prefix
        self.position[slots] = 0
        self.node[slots] = NONE
        self._index[slots] = indexes
        self._nll[slots] = 0.0
        drawn = uniforms(job.request.seed, indexes.astype(np.uint64), length)
        self._uniforms[slots, :length] = drawn
        self._forced[slots] = len(job.prefix)
        self._max_length[slots] = job.max_length
        self._sampling[slots] = _as_row(job.request.sampling)
        return slots

    def release(self, slots: Slots) -> None:
        """Forget the names in some slots."""
        self.job[slots] = None
        self._free.extend(slots.tolist())

    def of(self, job: Job) -> Slots:
        """The slots of a job."""
        return np.flatnonzero(self.job == job)

    def last(self, slots: Slots) -> TokenIds:
        """(B,) what each of (B,) slots read last; of no meaning before the first character."""
        return self.token_ids[slots, self.position[slots] - 1]

    def read(self, slots: Slots, log_probs: Array) -> TokenIds:
        """One more character of each name, drawn, or forced within a prefix.

        Args:
            slots: (B,), all different.
            log_probs: (B, V) after what each has read.

        Returns:
            (B,) what was read.
        """
        positions = self.position[slots]
        token_ids = self.token_ids[slots, positions]
        drawn = np.flatnonzero(positions >= self._forced[slots])
        for params, alike in self._by_sampling(slots, drawn):
            probs = probabilities(log_probs[alike], params)
            token_ids[alike] = draw(probs, self._uniforms[slots[alike], positions[alike]])
        self.token_ids[slots, positions] = token_ids
        self._nll[slots] += np.maximum(0.0, -log_probs[np.arange(len(slots)), token_ids])
        self.position[slots] += 1
        return token_ids

    def finish(self, slots: Slots) -> NDArray[np.bool_]:
        """Hand in the names that have ended, or never will in time, and free their slots.

        Running text ends by its length alone.

        Returns:
            (B,) which of the slots are free now.
        """
        lengths = self.position[slots]
        most = self._max_length[slots]
        if self._vocabulary.ends:
            ended = self.token_ids[slots, lengths - 1] == BOUNDARY
            lengths = lengths - 1  # the last is the end, or one too many
            over = ended | (lengths == most)
        else:
            ended = over = lengths == most
        for i in np.flatnonzero(over).tolist():
            slot, length = int(slots[i]), int(lengths[i])
            job, index, name = self.job[slot], int(self._index[slot]), None
            if ended[i] and length >= job.request.min_length:
                text = self._vocabulary.decode(self.token_ids[slot, :length].tolist())
                name = GeneratedName(text, index, float(self._nll[slot]))
            job.finish(index, name)
        self.release(slots[over])
        return np.asarray(over)

    def _by_sampling(
        self, slots: Slots, chosen: NDArray[np.int64]
    ) -> Iterator[tuple[SamplingParams, NDArray[np.int64]]]:
        """Those of `chosen`, places in `slots`, whose distributions are reshaped alike."""
        while len(chosen):
            params = self._sampling[slots[chosen]]
            alike = (params == params[0]).all(1)
            yield self.job[slots[chosen[0]]].request.sampling, chosen[alike]
            chosen = chosen[~alike]


def _as_row(params: SamplingParams) -> list[float]:
    """Numbers to tell parameters apart by; none that are given are below 0."""
    values = (params.temperature, params.top_k, params.top_p, params.min_p)
    return [-1.0 if value is None else value for value in values]

"""Drawing names from the stream of a seed, many requests side by side.

Name i of a stream is decided by (model, seed, i, sampling parameters) alone: its
characters are drawn with the uniforms of randomness.py from distributions of rows.py,
whose bits depend on the prefix alone. So it does not matter where a distribution comes
from: a name reads on in the prefix tree as far as that goes; then a row of the model
reads the same characters again and draws the rest.
"""

from collections import deque
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from models.base import LanguageModel
from models.in_flight import NamesInFlight, Slots
from models.prefix_tree import NONE, PrefixTree
from models.request import MAX_NAMES, Generated, GenerationRequest, Job
from models.rows import ROWS, Rows, boundaries, longest_name
from models.sampling import Array
from models.vocabulary import BOUNDARY, Vocabulary

TREE_BYTES = 32 << 20
"""Of the tree of a sampler that is told no other size."""
_SLOTS = 1024
"""Names in flight at most."""
_WALKED = 1 << 18
"""Probabilities that a step looks at in the tree, about: some milliseconds."""

_NO_SLOTS = np.empty(0, dtype=np.int64)


class Sampler:
    """Draws the names of all jobs of one model.

    Args:
        model: in eval mode, float64, on its device.
        vocabulary: the model's.
        tree_bytes: for distributions that are kept, >= 0.
    """

    def __init__(
        self, model: LanguageModel, vocabulary: Vocabulary, tree_bytes: int = TREE_BYTES
    ) -> None:
        self._size = len(vocabulary)
        self._limit = longest_name(model, vocabulary)
        self._tree = PrefixTree(model, tree_bytes)
        self._model, self._vocabulary = model, vocabulary
        self._jobs: deque[Job] = deque()
        self._rehearsal: Job | None = None
        self._rehearsed = 0  # of a stream, by earlier ones
        self._names = NamesInFlight(_SLOTS, self._limit, vocabulary)
        self._ready = _NO_SLOTS  # names that can go on in the tree
        self._waiting: dict[Job, list[int]] = {}  # slots whose names need a row
        self._rows = Rows(model, vocabulary)
        # Of each row: the slot it draws for, how many of its characters it has read, and
        # whether it is to add what it has caught up with to the tree.
        self._slot = np.full(ROWS, NONE, dtype=np.int64)
        self._read = np.full(ROWS, self._limit + 1, dtype=np.int64)
        self._adds = np.zeros(ROWS, dtype=bool)
        self._inputs = boundaries()

    @property
    def busy(self) -> bool:
        """Whether a job is under way."""
        return len(self._jobs) > (self._rehearsal is not None)

    @property
    def grown(self) -> bool:
        """Whether the tree has all that it has room for."""
        return self._tree.full

    def add(self, job: Job) -> None:
        """Queue a job made for this sampler's model."""
        if self._rehearsal:
            self.remove(self._rehearsal)
            self._rehearsal = None
        self._jobs.append(job)

    def grow(self) -> None:
        """Draw for no one, for what the tree learns by it: what is likely is met first."""
        if not self._rehearsal:
            request = GenerationRequest(0, MAX_NAMES, self._rehearsed)
            self._rehearsal = Job(request, self._model, self._vocabulary)
            self._jobs.append(self._rehearsal)
        self.step()

    def remove(self, job: Job) -> None:
        """Forget a job that is under way; its rows are free again."""
        self._jobs.remove(job)
        self._waiting.pop(job, None)
        slots = self._names.of(job)
        self._slot[np.isin(self._slot, slots)] = NONE
        self._adds[self._slot == NONE] = False
        self._ready = self._ready[~np.isin(self._ready, slots)]
        self._names.release(slots)

    def clear(self) -> None:
        """Forget every job, after a step that failed; the next step restarts every row."""
        for job in list(self._jobs):
            self.remove(job)
        self._rehearsal = None
        self._ready = _NO_SLOTS
        self._slot[:], self._adds[:] = NONE, False
        self._read[:] = self._limit + 1

    def step(self) -> list[Job]:
        """Draw what the tree knows, and a character in each row; the jobs that this completes."""
        self._walk(np.concatenate([self._ready, self._resume(), self._admit()]))
        self._take_rows()
        self._advance()
        completed = [job for job in self._jobs if job.done]
        for job in completed:  # it may have names ahead of what it needed
            self.remove(job)
        if self._rehearsal in completed:
            completed.remove(self._rehearsal)
            self._rehearsed = self._rehearsal.result().next_offset
            self._rehearsal = None
        return completed

    def _admit(self) -> Slots:
        """Begin names of the jobs in turn, so that a long one starves no other; their slots."""
        admitted = [_NO_SLOTS]
        passed = 0  # jobs in a row that want no more
        while self._names.free and passed < len(self._jobs):
            job = self._jobs[0]
            self._jobs.rotate(-1)  # its turn is over, and the next step goes on from here
            share = max(1, self._names.free // len(self._jobs))
            if count := min(job.wanted, share):
                admitted.append(self._names.admit(job, count))
                passed = 0
            else:
                passed += 1
        return np.concatenate(admitted)

    def _resume(self) -> Slots:
        """The slots that waited for a node which the tree has by now."""
        resumed = [_NO_SLOTS]
        for job, waiting in self._waiting.items():
            slots = np.array(waiting, dtype=np.int64)
            known = self._next_nodes(slots) != NONE
            resumed.append(slots[known])
            self._waiting[job] = slots[~known].tolist()
        return np.concatenate(resumed)

    def _next_nodes(self, slots: Slots) -> NDArray[np.int64]:
        """Of all that each has read; NONE where the tree has no such node."""
        nodes = self._tree.children(self._names.node[slots], self._names.last(slots))
        return np.where(self._names.position[slots] == 0, self._tree.root, nodes)

    def _walk(self, slots: Slots) -> None:
        """Draw in the tree until each name has ended, or has left the tree and waits."""
        looked_at = 0
        while len(slots) and looked_at < _WALKED:
            nodes = self._next_nodes(slots)
            known = nodes != NONE
            for slot in slots[~known].tolist():
                self._waiting.setdefault(self._names.job[slot], []).append(slot)
            slots, nodes = slots[known], nodes[known]
            self._names.node[slots] = nodes
            self._names.read(slots, self._tree.log_probs(nodes))
            looked_at += len(slots) * self._size
            slots = slots[~self._names.finish(slots)]
        self._ready = slots  # enough for one step

    def _take_rows(self) -> None:
        """Give idle rows to names that wait, one of each job in turn.

        While the tree grows, one name a prefix: the others will find it in the tree.
        """
        idle = np.flatnonzero(self._slot == NONE).tolist()
        shared = not self._tree.full
        taken: list[int] = []
        begun = set(self._keys(self._slot[self._adds]).tolist()) if shared else set()
        turns = deque((job, self._offers(job)) for job in self._jobs if self._waiting.get(job))
        while idle and turns:
            job, offers = turns.popleft()
            for key, slot in offers:
                if key in begun:
                    continue
                if shared:
                    begun.add(key)
                self._waiting[job].remove(slot)
                row = idle.pop()
                self._slot[row], self._adds[row] = slot, shared
                taken.append(row)
                turns.append((job, offers))
                break
        if taken:
            self._begin(np.array(taken, dtype=np.int64))

    def _begin(self, rows: NDArray[np.int64]) -> None:
        """Put rows where the tree knows the model's state, as late in their names as may be."""
        self._read[rows] = self._limit + 1  # to be restarted, unless
        slots = self._slot[rows]
        within = self._names.position[slots] > 0
        rows, slots = rows[within], slots[within]
        lengths = self._tree.load_states(self._names.node[slots], self._rows.state, rows)
        known = lengths >= 0
        rows, slots, lengths = rows[known], slots[known], lengths[known]
        self._read[rows] = lengths + 1
        self._inputs[rows] = self._names.token_ids[slots, lengths]

    def _offers(self, job: Job) -> Iterator[tuple[int, int]]:
        """The prefixes that names of a job wait for, as keys, and a slot of each, in turn."""
        slots = np.array(self._waiting[job], dtype=np.int64)
        keys = self._keys(slots)
        if not self._tree.full:
            _, first = np.unique(keys, return_index=True)
            keys, slots = keys[np.sort(first)], slots[np.sort(first)]
        return zip(keys.tolist(), slots.tolist(), strict=True)

    def _keys(self, slots: Slots) -> NDArray[np.int64]:
        """A number for the prefix that each waits for: the node before it, and the character."""
        keys = self._names.node[slots] * self._size + self._names.last(slots)
        return np.where(self._names.position[slots] == 0, NONE, keys)

    def _advance(self) -> None:
        """Read a character in every row; those that have caught up with their name draw one."""
        used = np.flatnonzero(self._slot != NONE)
        if not len(used):
            return
        # An idle row reads on like any other and starts over when its context is full.
        full = np.flatnonzero(self._read > self._limit)
        self._rows.restart(full)
        self._read[full] = 0
        self._inputs[full] = BOUNDARY
        log_probs = self._rows.advance(self._inputs)
        caught_up = used[self._read[used] == self._names.position[self._slot[used]]]
        slots = self._slot[caught_up]
        if (adding := caught_up[self._adds[caught_up]]).size:  # none, once the tree is full
            self._grow(adding, log_probs)
        self._names.read(slots, log_probs[caught_up])
        self._inputs[:] = BOUNDARY
        self._inputs[used] = self._names.token_ids[self._slot[used], self._read[used]]
        self._read += 1
        over = caught_up[self._names.finish(slots)]
        self._slot[over] = NONE

    def _grow(self, rows: NDArray[np.int64], log_probs: Array) -> None:
        """Add what the names of some rows have read to the tree, while there is room."""
        self._adds[rows] = False
        slots = self._slot[rows]
        unknown = self._next_nodes(slots) == NONE
        rows, slots = rows[unknown], slots[unknown]
        self._tree.add(
            self._names.node[slots], self._names.last(slots), log_probs[rows],
            self._rows.state, rows,
        )  # fmt: skip


def generate(model: LanguageModel, vocabulary: Vocabulary, request: GenerationRequest) -> Generated:
    """Draw the names of one request.

    Args:
        model: in eval mode, float64.
        vocabulary: the model's.
        request: what to draw.

    Raises:
        ParameterError: a value of the request is out of this model's range.
    """
    job = Job(request, model, vocabulary)
    sampler = Sampler(model, vocabulary)
    sampler.add(job)
    while not job.done:
        sampler.step()
    return job.result()

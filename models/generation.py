"""Drawing names from the stream of a seed, many requests side by side.

Name i of a stream is decided by (model, seed, i, sampling parameters) alone: its
characters are drawn with the uniforms of randomness.py from distributions of rows.py,
whose bits depend on the prefix alone. How a character is come by decides how long it takes,
and nothing else: a name reads on in the prefix tree as far as that goes, and is read for by
evaluation.py where it knows no more, or where rounding leaves open which character it is.
"""

from collections import deque

import numpy as np

from models.base import LanguageModel
from models.context_table import ContextTable, fits
from models.evaluation import Evaluator
from models.in_flight import NamesInFlight, Slots
from models.prefix_tree import NONE, PrefixTree
from models.rare import RareJobs
from models.request import Generated, GenerationRequest, Job
from models.rows import longest_name
from models.tally import Tally
from models.vocabulary import Vocabulary

TREE_BYTES = 32 << 20
"""Of the tree of a sampler that is told no other size."""
_SLOTS = 2048
"""Names in flight at most."""
_WALKED, _WALKED_BRIEFLY = 1 << 18, 1 << 15
"""Probabilities that a step looks at in the tree, about: some milliseconds, or one or two."""

_TURN = 32
"""Names that a job begins in its turn, if it wants so many and there is room: were there a few for
each of hundreds of jobs, all would end late."""

_NO_SLOTS = np.empty(0, dtype=np.int64)


class Sampler:
    """Draws the names of all jobs of one model.

    Args:
        model: in eval mode, float64, on its device.
        vocabulary: the model's.
        tree_bytes: for distributions that are kept, >= 0.
        tally: to be counted on, one that has been begun; None: one of its own.

    Attributes:
        tree: these distributions.
        tally: what has been done.
    """

    def __init__(
        self,
        model: LanguageModel,
        vocabulary: Vocabulary,
        tree_bytes: int = TREE_BYTES,
        tally: Tally | None = None,
    ) -> None:
        self._size = len(vocabulary)
        self.tree: PrefixTree | ContextTable = (
            ContextTable(model, vocabulary, tree_bytes)
            if fits(model, tree_bytes)
            else PrefixTree(model, tree_bytes)
        )
        self.tally = Tally() if tally is None else tally
        self._jobs: deque[Job] = deque()  # whose names are drawn, some to be passed over
        self._rare = RareJobs(model, vocabulary, self.tree)
        self._names = NamesInFlight(_SLOTS, longest_name(model, vocabulary), vocabulary)
        self._evaluator = Evaluator(model, vocabulary, self.tree, self._names, self.tally)
        self._ready = _NO_SLOTS  # names that can go on in the tree
        self._waiting = _NO_SLOTS  # names that are to be read for, the longest waiting first

    @property
    def busy(self) -> bool:
        """Whether a job is under way."""
        return bool(self._jobs or self._rare)

    @property
    def grown(self) -> bool:
        """Whether the tree has all that it has room for."""
        return self._evaluator.grown

    def add(self, job: Job) -> None:
        """Queue a job made for this sampler's model."""
        if not self._rare.take(job):
            self._jobs.append(job)

    def grow(self) -> None:
        """A pass beside the jobs, if any: the tree learns the likeliest prefixes that it lacks."""
        self._ready = np.concatenate([self._ready, self._evaluator.grow()])

    def remove(self, job: Job) -> None:
        """Forget a job that is under way; its rows are free again."""
        if job in self._rare:
            self._rare.remove(job)
            return
        self._jobs.remove(job)
        slots = self._names.of(job)
        if not len(slots):
            return
        self._evaluator.stop(slots)
        self._ready = self._ready[~np.isin(self._ready, slots)]
        self._waiting = self._waiting[~np.isin(self._waiting, slots)]
        self._names.release(slots)

    def clear(self) -> None:
        """Forget every job, after a step that failed; the next step restarts every row."""
        for job in list(self._jobs):
            self.remove(job)
        self._rare.clear()
        self._evaluator.reset()

    def step(self, *, brief: bool = False) -> list[Job]:
        """Draw what the tree knows, and a character of what it does not know.

        Args:
            brief: whether it is to stop sooner, all the same to what is drawn.

        Returns:
            The jobs that this completes.
        """
        completed: list[Job] = []
        if decided := self._rare.step():
            (completed if decided.done else self._jobs).append(decided)
        ready = np.concatenate([self._ready, self._resumed(), self._admitted()])
        self._walk(ready, _WALKED_BRIEFLY if brief else _WALKED)
        if len(self._waiting):
            self._waiting = self._in_turn(self._waiting)
            self._waiting = self._waiting[~self._evaluator.take(self._waiting)]
        ready, waiting = self._evaluator.step()
        self._ready = np.concatenate([self._ready, ready])
        self._waiting = np.concatenate([self._waiting, waiting])
        for job in [job for job in self._jobs if job.done]:
            self.remove(job)  # it may have names ahead of what it needed
            completed.append(job)
        for job in completed:
            self.tally.names += job.given
            self.tally.draws += job.consumed
        return completed

    def _admitted(self) -> Slots:
        """Begin names of the jobs in turn, so that a long one starves no other; their slots."""
        shares: list[tuple[Job, int]] = []
        free, passed = self._names.free, 0  # jobs in a row that want no more
        least = max(_TURN, free // max(1, len(self._jobs)))
        wanted: dict[Job, int] = {}
        while free and passed < len(self._jobs):
            job = self._jobs[0]
            self._jobs.rotate(-1)  # its turn is over, and the next step goes on from here
            left = wanted.get(job, job.wanted)
            count = min(left, least, free)
            passed = 0 if count else passed + 1
            if count:
                wanted[job] = left - count
                free -= count
                shares.append((job, count))
        return self._names.admit(shares, self.tree.root_key) if shares else _NO_SLOTS

    def _resumed(self) -> Slots:
        """The slots that waited for a node which the tree has by now."""
        waiting = self._waiting
        if not len(waiting) or self.tree.full:
            return _NO_SLOTS
        known = (self.tree.find(self._names.key[waiting]) != NONE) & ~self._names.unsure[waiting]
        self._waiting = waiting[~known]
        resumed: Slots = waiting[known]
        return resumed

    def _walk(self, slots: Slots, most: int) -> None:
        """Draw in the tree until each name has ended, or waits to be read for."""
        looked_at, left = 0, [self._waiting]
        while len(slots) and looked_at < most:
            nodes = self.tree.find(self._names.key[slots])
            if not (known := nodes != NONE).all():
                left.append(slots[~known])
                slots, nodes = slots[known], nodes[known]
            looked_at += len(slots) * self._size
            sure = self._names.read(slots, self.tree.log_probs(nodes), self.tree.error)
            if not sure.all():
                left.append(slots[~sure])
                slots, nodes = slots[sure], nodes[sure]
            self.tally.from_tree += len(slots)
            self._names.move(slots, nodes, self.tree)
            slots = slots[~self._names.finish(slots)]
        self._ready = slots  # enough for one step
        self._waiting = np.concatenate(left)

    def _in_turn(self, slots: Slots) -> Slots:
        """Slots that wait, one of each job in turn, the longest waiting first."""
        jobs = self._names.job_id[slots]
        order = np.argsort(jobs, kind="stable")
        jobs = jobs[order]
        turn = np.empty(len(slots), dtype=np.int64)  # how many of its job come before
        turn[order] = np.arange(len(slots)) - np.searchsorted(jobs, jobs)
        by_turn: Slots = slots[np.argsort(turn, kind="stable")]
        return by_turn


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

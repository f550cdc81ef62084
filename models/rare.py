"""Requests whose conditions are rare, for a model with a short memory: drawn directly.

Where a draw would be passed over nearly always, names are drawn from the model conditioned, as
backward.py has it. Which way a request goes is decided by the model and the request alone: by
the exact probability that a draw does. Where that is not small, names are those of the stream
without the conditions, some passed over.
"""

import math
from collections import OrderedDict, deque
from collections.abc import Generator

import numpy as np

from models.automaton import build_automaton
from models.backward import (
    MAX_NODES,
    MAX_TRANSITIONS,
    Conditioned,
    build_chain,
    condition,
)
from models.base import LanguageModel
from models.conditions import Demands
from models.context_table import ContextTable
from models.prefix_tree import PrefixTree
from models.request import Job
from models.sampling import SamplingParams
from models.vocabulary import Vocabulary

RARE = 1 / 32
"""What a draw meets with a smaller probability is rare: the budget, 50,000 and more, is half
as large again as MAX_NAMES over it."""
_MAX_STATES = 2000
"""Of an automaton; what needs more is left to rejection."""
_AT_ONCE = 4
"""Jobs in turn; the others wait, so that little memory is needed at a time."""
_KEPT = 8
"""Plans that are kept for the next page of the same names: some MB each at most."""
_DRAWN = 1 << 18
"""Probabilities that a step looks at, about: some milliseconds."""
_MOST_NAMES = 1024
"""Of a step."""

_NOTHING = Demands("", "", "", ())

_Key = tuple[Demands, tuple[int, ...], tuple[int, int], SamplingParams]
_Preparation = Generator[None, None, Conditioned | None]


class RareJobs:
    """The jobs of one model that may be drawn so.

    Args:
        model: in eval mode, float64, on its device.
        vocabulary: the model's.
        tree: of the model; it serves where it is a table in float64.
    """

    def __init__(
        self, model: LanguageModel, vocabulary: Vocabulary, tree: PrefixTree | ContextTable
    ) -> None:
        self._vocabulary = vocabulary
        self._table: ContextTable | None = None  # None: this is not for the model
        if vocabulary.ends and _is_small(model):
            if isinstance(tree, ContextTable) and not tree.error:
                self._table = tree
            else:
                self._table = ContextTable(model, vocabulary, 8 * MAX_TRANSITIONS)
        self._jobs: deque[Job] = deque()  # the first _AT_ONCE of them in turn
        self._plans: dict[Job, _Plan] = {}
        self._kept: OrderedDict[_Key, _Plan] = OrderedDict()

    def __contains__(self, job: Job) -> bool:
        return job in self._jobs

    def __len__(self) -> int:
        return len(self._jobs)

    def take(self, job: Job) -> bool:
        """Queue a job if it may be drawn so; returns whether it is queued."""
        taken = self._table is not None and job.demands not in (None, _NOTHING)
        if taken:
            self._jobs.append(job)
        return taken

    def remove(self, job: Job) -> None:
        """Forget a job that is queued."""
        self._jobs.remove(job)
        self._plans.pop(job, None)

    def clear(self) -> None:
        """Forget everything, after a step that failed."""
        self._jobs.clear()
        self._plans.clear()
        self._kept.clear()

    def step(self) -> Job | None:
        """A few milliseconds of work for the job whose turn it is.

        Returns:
            The job, if it leaves: it is done, or is to be drawn by rejection.
        """
        if not self._jobs:
            return None
        job = self._jobs[0]
        plan = self._plan(job)
        if not plan.ready:
            plan.prepare()
        if plan.conditioned:
            self._draw(job, plan.conditioned)
        if job.done or plan.ready and not plan.conditioned:
            self.remove(job)
            return job
        self._jobs.popleft()
        self._jobs.insert(_AT_ONCE - 1, job)
        return None

    def _plan(self, job: Job) -> "_Plan":
        """How the names of a job are drawn; jobs that are alike share it."""
        if job not in self._plans:
            lengths = job.request.min_length, job.max_length
            key = job.demands or _NOTHING, tuple(job.prefix), lengths, job.request.sampling
            self._kept.setdefault(key, _Plan(self._prepare(*key)))
            self._kept.move_to_end(key)
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
            self._plans[job] = self._kept[key]
        return self._plans[job]

    def _prepare(
        self,
        demands: Demands,
        head: tuple[int, ...],
        lengths: tuple[int, int],
        sampling: SamplingParams,
    ) -> _Preparation:
        """The model conditioned; None where rejection serves, or must."""
        if self._table is None:
            return None
        text = self._vocabulary.decode(head)
        most = min(_MAX_STATES, MAX_TRANSITIONS // len(self._vocabulary))
        automaton = yield from build_automaton(demands, text, self._vocabulary, most)
        if automaton is None:
            return None
        chain = yield from build_chain(self._table, automaton, sampling, head)
        if chain is None:
            return None
        conditioned = yield from condition(chain, head, lengths)
        return conditioned if math.exp(conditioned.log_acceptance) < RARE else None

    def _draw(self, job: Job, conditioned: Conditioned) -> None:
        """Draw some names of a job, if any can be drawn."""
        if conditioned.log_acceptance == -math.inf:
            job.give_up()
            return
        count = min(job.wanted, max(1, _DRAWN // conditioned.work), _MOST_NAMES)
        first = job.admit(count)
        indexes = np.arange(first, first + count, dtype=np.uint64)
        token_ids, nlls = conditioned.draw(job.request.seed, indexes)
        for index, ids, nll in zip(indexes.tolist(), token_ids, nlls, strict=True):
            job.finish(index, (self._vocabulary.decode(ids), nll))


class _Plan:
    """A model conditioned, once it is `ready`; None where names are to be drawn by rejection."""

    def __init__(self, steps: _Preparation) -> None:
        self._steps = steps
        self.ready = False
        self.conditioned: Conditioned | None = None

    def prepare(self) -> None:
        """A few milliseconds of what has to come first."""
        try:
            next(self._steps)
        except StopIteration as end:
            self.conditioned, self.ready = end.value, True


def _is_small(model: LanguageModel) -> bool:
    """Whether all contexts of a model can be nodes, be it of a single state."""
    if model.context is None:
        return False
    size = model.config.vocab_size
    contexts: int = size ** min(model.context, MAX_NODES.bit_length())
    return contexts <= MAX_NODES and contexts * size <= MAX_TRANSITIONS

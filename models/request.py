"""A request for names, its bookkeeping while they are drawn, and its answer.

A draw that is empty, shorter than `min_length`, not ended by `max_length`, or not as
the conditions want it is no name and is passed over: names are distributed as the model
conditioned on all of that. A prefix is forced, which is exact.

Running text does not end: there every draw is an item of exactly `max_length`
characters, its prefix included, and nothing is passed over.
"""

import math
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import ClassVar

from models.base import LanguageModel
from models.conditions import Conditions, Demands, Filter
from models.errors import ParameterError
from models.randomness import check_seed
from models.rows import longest_name
from models.sampling import SamplingParams
from models.vocabulary import Vocabulary, normalize, normalized_length

MAX_NAMES = 1000
"""Of an answer."""
MAX_JOB_NAMES = 10_000
"""Of a job, which holds them all until the last one is there."""
TEXT_LENGTH = 100
"""Characters of an item of running text, unless told otherwise or the model holds fewer."""
RARE_DRAWS = 50_000
"""More draws for a request with conditions: what it wants may be rare."""
MAX_OFFSET = 9 * 10**15
"""With the budget on top still below 2**53, which every JSON reader holds exactly."""


@dataclass(frozen=True)
class GenerationRequest:
    """What to draw.

    Attributes:
        seed: 0 to 2**64 - 1, the stream.
        n: names wanted, 1 to 10,000.
        offset: index in the stream to begin at, 0 to 9 * 10**15.
        sampling: how distributions are reshaped.
        prefix: what every name begins with; characters of the alphabet.
        min_length: fewest characters of a name, 1 to max_length. Running text always has
            more.
        max_length: most characters, at least the prefix's; None is `default_length`.
        scores: whether the NLLs are wanted; without them names may come sooner.
        conditions: what names must be like besides.
        unique: whether a name that has been in this answer is passed over.
    """

    seed: int
    n: int = 10
    offset: int = 0
    sampling: SamplingParams = SamplingParams()
    prefix: str = ""
    min_length: int = 1
    max_length: int | None = None
    scores: bool = True
    conditions: Conditions = Conditions()
    unique: bool = False

    @property
    def budget(self) -> int:
        """The most stream indexes it may consume before it gives up."""
        rare = self.unique or self.conditions != Conditions()
        return 10 * self.n + 1000 + RARE_DRAWS * rare


@dataclass(frozen=True, slots=True)
class GeneratedName:
    """A name, its index in the stream, and its NLL under the model as is, in nats.

    The NLL is the sum of log-probabilities that were rounded to float32; NaN where the request
    did not want it.
    """

    name: str
    index: int
    nll: float


@dataclass(frozen=True)
class Generated:
    """An answer.

    Attributes:
        names: in stream order; fewer than n only if `exhausted`.
        next_offset: where the stream goes on after the last index consumed.
        exhausted: the budget ended first.
        acceptance_rate: share of the consumed indexes that gave a name.
    """

    names: tuple[GeneratedName, ...]
    next_offset: int
    exhausted: bool
    acceptance_rate: float


Outcome = tuple[str, float] | None
"""What an index of a stream gave: a name and its NLL in nats, or no name."""


class Job:
    """A request on its way.

    Args:
        request: what to draw.
        model: only asked for its longest name.
        vocabulary: the model's.
        training_names: those that the model was fitted on; for conditions alone.

    Attributes:
        as_drawn: whether a draw that is empty, or has not ended in time, is given like any other.
        done: whether all its names are there, or the budget is spent.

    Raises:
        ParameterError: a value of the request is out of this model's range.
    """

    as_drawn: ClassVar[bool] = False

    def __init__(
        self,
        request: GenerationRequest,
        model: LanguageModel,
        vocabulary: Vocabulary,
        training_names: AbstractSet[str] = frozenset(),
    ) -> None:
        self.max_length = request.max_length or default_length(model, vocabulary)
        _check(request, longest_name(model, vocabulary), self.max_length)
        self.request = request
        self._budget = request.budget  # asked for with each name
        length = normalized_length(request.prefix, self.max_length)
        if length > self.max_length:
            raise ParameterError(
                "prefix", f"has {length} characters; allowed: 0 to {self.max_length} (max_length)"
            )
        self.prefix = vocabulary.encode(request.prefix, "prefix")
        self._filter: Filter | None = None
        if request.conditions != Conditions():
            lengths = request.min_length, self.max_length
            prefix = normalize(request.prefix)
            self._filter = Filter(request.conditions, prefix, lengths, vocabulary, training_names)
            self.prefix = vocabulary.encode(self._filter.head)
        self.done = False
        self._names: list[GeneratedName] = []  # the answer so far, in stream order
        self._consumed = 0  # indexes whose outcome is settled, from the offset on without gap
        self._ahead: dict[int, Outcome] = {}  # those that wait for earlier ones
        self._admitted = 0
        self._accepted = 0
        self._different: set[str] = set()  # names of all that finished, where it matters
        self._given: set[str] = set()  # and of those that are settled

    @property
    def demands(self) -> Demands | None:
        """What an automaton can tell of its conditions; None if it has none."""
        return self._filter.demands if self._filter else None

    @property
    def wanted(self) -> int:
        """How many indexes more should be drawn now.

        As many are in flight as should give the missing names at the acceptance
        seen so far. Those drawn too many are dropped: the answer is always the
        first n names in stream order, whatever the order in which they end.
        """
        if self.done:
            return 0
        finished = self._consumed + len(self._ahead)
        missing = self.request.n - self._accepted
        useful = missing * (finished + 1) / (self._accepted + 1)
        in_flight = self._admitted - finished
        return max(0, min(math.ceil(useful) - in_flight, self._budget - self._admitted))

    @property
    def given(self) -> int:
        """How many names the answer has so far."""
        return len(self._names)

    @property
    def consumed(self) -> int:
        """How many indexes of the stream they took."""
        return self._consumed

    def admit(self, count: int) -> int:
        """Take the next indexes of the stream; returns the first of them."""
        first = self.request.offset + self._admitted
        self._admitted += count
        return first

    def finish(self, index: int, outcome: Outcome) -> None:
        """Hand in what an admitted index gave."""
        if outcome is not None and self._filter and not self._filter.allows(outcome[0]):
            outcome = None
        self._ahead[index] = outcome
        if outcome is not None:
            self._accept(outcome[0])
        enough = self._accepted >= self.request.n
        if enough or self._consumed + len(self._ahead) == self._budget:
            self._settle()  # else it can't be done yet

    def give_up(self) -> None:
        """Let the whole budget have given nothing: it is known that no draw could."""
        self._consumed, self.done = self._budget, True

    def _accept(self, name: str) -> None:
        if self.request.unique:  # the first in the stream counts, whichever that will be
            self._different.add(name)
            self._accepted = len(self._different)
        else:
            self._accepted += 1

    def _settle(self) -> None:
        """Take the outcomes that have no gap before them, up to the last name wanted."""
        scores, n, budget = self.request.scores, self.request.n, self._budget
        while not self.done and (index := self.request.offset + self._consumed) in self._ahead:
            settled = self._ahead.pop(index)
            self._consumed += 1
            if settled is not None:
                text, nll = settled
                if self._is_new(text):
                    self._names.append(GeneratedName(text, index, nll if scores else math.nan))
            self.done = len(self._names) == n or self._consumed == budget

    def _is_new(self, name: str) -> bool:
        """Whether a name counts; called once for each, in stream order."""
        if not self.request.unique:
            return True
        new = name not in self._given
        self._given.add(name)
        return new

    def result(self) -> Generated:
        """The answer, once `done`."""
        return Generated(
            names=tuple(self._names),
            next_offset=self.request.offset + self._consumed,
            exhausted=len(self._names) < self.request.n,
            acceptance_rate=len(self._names) / self._consumed,
        )


def default_length(model: LanguageModel, vocabulary: Vocabulary) -> int:
    """The `max_length` of a request without: all the model can hold, of text TEXT_LENGTH."""
    limit = longest_name(model, vocabulary)
    return limit if vocabulary.ends else min(limit, TEXT_LENGTH)


def _check(request: GenerationRequest, limit: int, max_length: int) -> None:
    """Raise ParameterError for a value out of range.

    `limit` is the model's longest name, `max_length` the one that applies.
    """
    check_seed(request.seed)
    if not 1 <= request.n <= MAX_JOB_NAMES:
        raise ParameterError("n", f"is out of range; allowed: 1 to {MAX_JOB_NAMES}")
    if not 0 <= request.offset <= MAX_OFFSET:
        raise ParameterError("offset", f"is out of range; allowed: 0 to {MAX_OFFSET}")
    if request.max_length is not None and not 1 <= request.max_length <= limit:
        raise ParameterError("max_length", f"is out of range; allowed: 1 to {limit}")
    if not 1 <= request.min_length <= max_length:
        raise ParameterError(
            "min_length", f"is out of range; allowed: 1 to {max_length} (max_length)"
        )

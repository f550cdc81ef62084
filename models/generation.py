"""Drawing names from the stream of a seed, many requests side by side.

Name i of a stream is decided by (model, seed, i, sampling parameters) alone: its
characters are drawn with the uniforms of randomness.py from distributions of
rows.py, whose bits do not depend on the other rows. So a request is free to
take whichever rows are idle, and gets the same names alone or in a crowd.

A draw that is empty, shorter than `min_length`, or not ended by `max_length` is
no name and is passed over: names are distributed as the model conditioned on
their length. A prefix is forced, which is exact.
"""

from collections import deque
from dataclasses import dataclass

import numpy as np

from models.base import LanguageModel
from models.errors import ParameterError
from models.randomness import check_seed, uniforms
from models.rows import ROWS, Rows, boundaries, longest_name
from models.sampling import Array, SamplingParams, draw, probabilities
from models.vocabulary import BOUNDARY, Vocabulary, normalized_length

MAX_NAMES = 1000
MAX_OFFSET = 9 * 10**15
"""With the budget on top still below 2**53, which every JSON reader holds exactly."""


@dataclass(frozen=True)
class GenerationRequest:
    """What to draw.

    Attributes:
        seed: 0 to 2**64 - 1, the stream.
        n: names wanted, 1 to 1000.
        offset: index in the stream to begin at, 0 to 9 * 10**15.
        sampling: how distributions are reshaped.
        prefix: what every name begins with; characters of the alphabet.
        min_length: fewest characters of a name, 1 to max_length.
        max_length: most characters, at least the prefix's; None is all the model can hold.
    """

    seed: int
    n: int = 10
    offset: int = 0
    sampling: SamplingParams = SamplingParams()
    prefix: str = ""
    min_length: int = 1
    max_length: int | None = None

    @property
    def budget(self) -> int:
        """The most stream indexes it may consume before it gives up."""
        return 10 * self.n + 1000


@dataclass(frozen=True)
class GeneratedName:
    """A name, its index in the stream, and its NLL under the model as is, in nats."""

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


class Job:
    """A request on its way.

    Args:
        request: what to draw.
        model: only asked for its longest name.
        vocabulary: the model's.

    Raises:
        ParameterError: a value of the request is out of this model's range.
    """

    def __init__(
        self, request: GenerationRequest, model: LanguageModel, vocabulary: Vocabulary
    ) -> None:
        limit = longest_name(model)
        _check(request, limit)
        self.request = request
        self.max_length = request.max_length or limit
        length = normalized_length(request.prefix, self.max_length)
        if length > self.max_length:
            raise ParameterError(
                "prefix", f"has {length} characters; allowed: 0 to {self.max_length} (max_length)"
            )
        self.prefix = vocabulary.encode(request.prefix, "prefix")
        self._names: list[GeneratedName] = []  # the answer so far, in stream order
        self._consumed = 0  # indexes whose outcome is settled, from the offset on without gap
        self._ahead: dict[int, GeneratedName | None] = {}  # outcomes that wait for earlier ones
        self._admitted = 0
        self._accepted = 0

    @property
    def wants_row(self) -> bool:
        """Whether one more index should be drawn now.

        As many are in flight as should give the missing names at the acceptance
        seen so far. Those drawn too many are dropped: the answer is always the
        first n names in stream order, whatever the order in which rows finish.
        """
        finished = self._consumed + len(self._ahead)
        missing = self.request.n - self._accepted
        useful = missing * (finished + 1) / (self._accepted + 1)
        in_flight = self._admitted - finished
        return not self.done and in_flight < useful and self._admitted < self.request.budget

    @property
    def done(self) -> bool:
        """Whether all its names are there, or the budget is spent."""
        return len(self._names) == self.request.n or self._consumed == self.request.budget

    def admit(self) -> int:
        """Take the next index of the stream."""
        self._admitted += 1
        return self.request.offset + self._admitted - 1

    def finish(self, index: int, name: GeneratedName | None) -> None:
        """Hand in what an admitted index gave; None is no name."""
        self._ahead[index] = name
        self._accepted += name is not None
        while not self.done and (index := self.request.offset + self._consumed) in self._ahead:
            settled = self._ahead.pop(index)
            self._consumed += 1
            if settled is not None:
                self._names.append(settled)

    def result(self) -> Generated:
        """The answer, once `done`."""
        return Generated(
            names=tuple(self._names),
            next_offset=self.request.offset + self._consumed,
            exhausted=len(self._names) < self.request.n,
            acceptance_rate=len(self._names) / self._consumed,
        )


class Sampler:
    """Draws the names of all jobs of one model, ROWS at a time.

    Args:
        model: in eval mode, float64, on its device.
        vocabulary: the model's.
    """

    def __init__(self, model: LanguageModel, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._rows = Rows(model)
        self._limit = longest_name(model)
        self._jobs: deque[Job] = deque()
        self._owners: list[Job | None] = [None] * ROWS
        self._indexes = [0] * ROWS
        # Column t of row b: its character t and the uniform that draws it.
        self._token_ids = np.zeros((ROWS, self._limit + 1), dtype=np.int64)
        self._uniforms = np.zeros((ROWS, self._limit + 1))
        self._inputs = boundaries()
        self._position = np.zeros(ROWS, dtype=np.int64)
        self._nll = np.zeros(ROWS)

    @property
    def busy(self) -> bool:
        """Whether a job is under way."""
        return bool(self._jobs)

    def add(self, job: Job) -> None:
        """Queue a job made for this sampler's model."""
        self._jobs.append(job)

    def remove(self, job: Job) -> None:
        """Forget a job that is under way; its rows are free again."""
        self._jobs.remove(job)
        self._owners = [None if owner is job else owner for owner in self._owners]

    def step(self) -> list[Job]:
        """Draw one character in every row in use; returns the jobs that this completes."""
        self._fill_rows()
        log_probs = self._rows.advance(self._inputs)
        token_ids = self._choose(log_probs)
        every = np.arange(ROWS)
        self._token_ids[every, self._position] = token_ids
        self._nll += np.maximum(0.0, -log_probs[every, token_ids])
        self._inputs = token_ids
        self._position += 1
        self._finish_rows()
        completed = [job for job in self._jobs if job.done]
        for job in completed:
            self._jobs.remove(job)
        # A job that is done may have rows ahead of what it needed.
        self._owners = [None if owner and owner.done else owner for owner in self._owners]
        return completed

    def _fill_rows(self) -> None:
        """Give idle rows to the jobs, one each in turn, so that a long one starves no other."""
        idle = [row for row, owner in enumerate(self._owners) if owner is None]
        taken: dict[Job, list[int]] = {}
        passed = 0  # jobs in a row that want none
        while idle and passed < len(self._jobs):
            job = self._jobs[0]
            self._jobs.rotate(-1)  # its turn is over, and the next step goes on from here
            if not job.wants_row:
                passed += 1
                continue
            passed = 0
            row = idle.pop()
            self._owners[row] = job
            self._indexes[row] = job.admit()
            taken.setdefault(job, []).append(row)
        for job, rows in taken.items():
            indexes = np.array([self._indexes[row] for row in rows], dtype=np.uint64)
            self._uniforms[rows] = uniforms(job.request.seed, indexes, self._limit + 1)
            self._token_ids[rows, : len(job.prefix)] = job.prefix
        # An idle row reads on like any other and starts over when its context is full.
        full = [row for row in idle if self._position[row] > self._limit]
        self._restart(np.array([*full, *(r for rows in taken.values() for r in rows)], np.int64))

    def _restart(self, rows: "np.typing.NDArray[np.int64]") -> None:
        self._rows.restart(rows)
        self._inputs[rows] = BOUNDARY
        self._position[rows] = 0
        self._nll[rows] = 0.0

    def _choose(self, log_probs: Array) -> "np.typing.NDArray[np.int64]":
        """(ROWS,) next characters: drawn, or forced within a prefix; boundaries in idle rows."""
        chosen = boundaries()
        alike: dict[SamplingParams, list[int]] = {}
        for row, job in enumerate(self._owners):
            if job is None:
                continue
            if self._position[row] < len(job.prefix):
                chosen[row] = self._token_ids[row, self._position[row]]
            else:
                alike.setdefault(job.request.sampling, []).append(row)
        for sampling, rows in alike.items():
            probs = probabilities(log_probs[rows], sampling)
            chosen[rows] = draw(probs, self._uniforms[rows, self._position[rows]])
        return chosen

    def _finish_rows(self) -> None:
        """Hand in the names that have ended, or never will in time, and free their rows."""
        for row, job in enumerate(self._owners):
            if job is None:
                continue
            length = int(self._position[row]) - 1  # if the last character was the end
            ended = self._inputs[row] == BOUNDARY
            if not ended and length < job.max_length:
                continue
            name = None
            if ended and job.request.min_length <= length <= job.max_length:
                text = self._vocabulary.decode(self._token_ids[row, :length].tolist())
                name = GeneratedName(text, self._indexes[row], float(self._nll[row]))
            job.finish(self._indexes[row], name)
            self._owners[row] = None


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


def _check(request: GenerationRequest, limit: int) -> None:
    """Raise ParameterError for a value out of range; `limit` is the model's longest name."""
    check_seed(request.seed)
    if not 1 <= request.n <= MAX_NAMES:
        raise ParameterError("n", f"is out of range; allowed: 1 to {MAX_NAMES}")
    if not 0 <= request.offset <= MAX_OFFSET:
        raise ParameterError("offset", f"is out of range; allowed: 0 to {MAX_OFFSET}")
    max_length = request.max_length
    if max_length is not None and not 1 <= max_length <= limit:
        raise ParameterError("max_length", f"is out of range; allowed: 1 to {limit}")
    if not 1 <= request.min_length <= (max_length or limit):
        raise ParameterError(
            "min_length", f"is out of range; allowed: 1 to {max_length or limit} (max_length)"
        )

"""Names drawn ahead, for requests that ask for nothing in particular.

A request without a seed may have any, so it may have one whose names are there already.
The pool holds stretches: each is the beginning of the stream of a seed of its own, drawn by
the server. Requests take the names of a stretch one after the other, and no name twice; the
seed and the offset in an answer give it again, as with any other.

Kept as JSON, from which an answer is cut: about 18 bytes a name.
"""

from array import array
from collections import deque
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Literal

from app.catalog import ServedModel
from app.encoding import encode
from app.lanes import Lane
from models.conditions import Conditions
from models.randomness import draw_seed
from models.request import MAX_NAMES, Generated, GenerationRequest, Job


@dataclass(frozen=True)
class PooledNames:
    """Consecutive names of a stream.

    Attributes:
        names: as the items of a JSON array.
        request: what gives them again.
        next_offset: where the stream goes on.
    """

    names: bytes
    request: GenerationRequest
    next_offset: int
    exhausted: Literal[False] = False

    @property
    def acceptance_rate(self) -> float:
        """Share of the draws that gave a name."""
        return self.request.n / (self.next_offset - self.request.offset)


class _Stretch:
    """The first names of the stream of a request; those before `_begun` are given away."""

    def __init__(self, request: GenerationRequest, generated: Generated) -> None:
        encoded = [encode(each.name).encode() for each in generated.names]
        self._request = request
        self._json = b",".join(encoded) + b","
        # Of what comes before name i: the bytes, and the indexes of the stream.
        self._bytes = array("I", [0, *accumulate(len(name) + 1 for name in encoded)])
        self._offsets = array("I", [0, *(each.index + 1 for each in generated.names)])
        self._begun = 0

    def take(self, n: int) -> PooledNames | None:
        """The next `n` names; None if there are too few, or a request would not find them all."""
        begin, end = self._begun, self._begun + n
        if end >= len(self._offsets):
            return None
        request = replace(self._request, n=n, offset=self._offsets[begin])
        next_offset = self._offsets[end]
        if next_offset - request.offset > request.budget:
            return None
        self._begun = end
        names = self._json[self._bytes[begin] : self._bytes[end] - 1]
        return PooledNames(names, request, next_offset)


class Pool:
    """Stretches that one thread adds and another takes from.

    Args:
        size: names to hold, >= 0; whole stretches of them.
    """

    def __init__(self, size: int) -> None:
        self.stretch = min(size, MAX_NAMES)
        self._size = size
        self._stretches: deque[_Stretch] = deque()

    def __len__(self) -> int:
        """How many names there are, those of a stretch that is being given away included."""
        return len(self._stretches) * self.stretch

    @property
    def wanted(self) -> bool:
        """Whether there is room for another stretch."""
        return bool(self.stretch) and (len(self._stretches) + 1) * self.stretch <= self._size

    def add(self, request: GenerationRequest, generated: Generated) -> None:
        """Add the first names of a stream, `stretch` of them, and what has asked for them.

        A model that does not even give those gets no pool.
        """
        if generated.exhausted:
            self._size = 0
        else:
            self._stretches.append(_Stretch(request, generated))

    def take(self, n: int) -> PooledNames | None:
        """The next `n` names; None if they are not there.

        What is left of a stretch that is too short for them is given up: an answer is of
        one stream.
        """
        while self._stretches and n <= self.stretch:
            if taken := self._stretches[0].take(n):
                return taken
            self._stretches.popleft()
        return None


class PoolFiller:
    """Draws for a pool, step by step.

    Args:
        pool: to be filled.
        served: by this model.
        lane: of that model; it must have no other work during a step.
    """

    def __init__(self, pool: Pool, served: ServedModel, lane: Lane) -> None:
        self._pool = pool
        self._served = served
        self._lane = lane
        self._job: Job | None = None

    @property
    def wanted(self) -> bool:
        """Whether the pool has room."""
        return self._pool.wanted

    def step(self) -> bool:
        """A step of the sampler; returns whether there can be another."""
        sampler = self._lane.sampler
        try:
            if not self._job:
                conditions = Conditions(unsafe=self._served.unsafe(None))
                request = GenerationRequest(
                    draw_seed(), self._pool.stretch, scores=False, conditions=conditions
                )
                self._job = self._served.job(request)
                sampler.add(self._job)
            if self._job in sampler.step():
                self._pool.add(self._job.request, self._job.result())
                self._job = None
        except Exception as error:  # requests will tell what is wrong
            self._lane.failed("its pool was filled", error)
            sampler.clear()
            self._job = None
            return False
        return True

    def stop(self) -> None:
        """Make way for a request; a stretch that was begun is given up."""
        if self._job:
            self._lane.sampler.remove(self._job)
            self._job = None

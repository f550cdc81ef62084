"""Every index of a range, drawn.

`/generate` is asked for names, and looks at as many indexes as that takes. Here it is the indexes
that count: a request whose budget is its range, so that no shard need know how many names the
ones before it had.
"""

from collections import deque
from collections.abc import Generator
from dataclasses import dataclass, replace

from app.catalog import ServedModel
from models.generation import Sampler
from models.request import MAX_JOB_NAMES, GeneratedName, GenerationRequest, Job

_AT_ONCE = 2
"""Jobs side by side: the next one fills the places that the end of one leaves empty."""
_PASSES_TO_LEARN = 100
"""After each job, for the prefix tree: of many names, or words, all will read it."""


@dataclass(frozen=True)
class RangeRequest(GenerationRequest):
    """What gives all names among the `n` indexes from its offset on."""

    @property
    def budget(self) -> int:
        """As many indexes as names could be there."""
        return self.n


def range_request(request: GenerationRequest, first: int, count: int) -> RangeRequest:
    """A request like another, for the indexes from `first` on; `count` is 1 to MAX_JOB_NAMES."""
    return replace(RangeRequest(**vars(request)), offset=first, n=count)


def draw_range(
    sampler: Sampler, served: ServedModel, request: GenerationRequest, first: int, count: int
) -> Generator[tuple[GeneratedName, ...], None, None]:
    """The names at the indexes from `first` on, in order, some at a time.

    Args:
        sampler: of the model, with no job under way.
        served: the model.
        request: what to draw; its `n` and `offset` are of no meaning.
        first: 0 to MAX_OFFSET.
        count: how many indexes, >= 1.
    """
    under_way: deque[Job] = deque()
    try:
        for begin in range(first, first + count, MAX_JOB_NAMES):
            size = min(MAX_JOB_NAMES, first + count - begin)
            job = served.job(range_request(request, begin, size))
            sampler.add(job)
            under_way.append(job)
            if len(under_way) == _AT_ONCE:
                yield _finish(sampler, under_way.popleft())
        while under_way:
            yield _finish(sampler, under_way.popleft())
    except BaseException:
        sampler.clear()  # it will serve other ranges
        raise


def _finish(sampler: Sampler, job: Job) -> tuple[GeneratedName, ...]:
    while not job.done:
        sampler.step()
    learn(sampler)
    return job.result().names


def learn(sampler: Sampler) -> None:
    """Some passes for the prefix tree alone, until it is full."""
    for _ in range(_PASSES_TO_LEARN * (not sampler.grown)):
        sampler.grow()

"""One worker thread that draws and scores for every request of the process.

Torch never runs on the event loop: a request is checked there, handed to the
thread, and awaited. The thread goes round all that is under way, one character
at a time, so requests of one model share its rows, those for names and those for
scores apart, and a short one does not wait for a long one to end. How many may be
under way is bounded, and for how long. While there is nothing to do it fills the
default model's prefix tree, then the pool.
"""

import asyncio
import logging
import queue
import threading
import time
from collections.abc import Iterable, Sequence
from enum import Enum
from typing import Any

from app.catalog import ServedModel, share_out
from app.errors import DeadlineExceededError, EngineStoppedError, OverloadedError
from app.pool import Pool, PooledNames, PoolFiller
from app.tasks import Outcome, Task, settle
from models.errors import ParameterError
from models.generation import Sampler
from models.request import Generated, GenerationRequest, Job
from models.score import Score, Scoring
from models.scoring import Scorer

logger = logging.getLogger("uvicorn.error")

QUIET_S = 0.01
"""Without a request that the pool has answered before more is drawn for it: two threads that
both run Python hold each other up."""


class _Signal(Enum):
    """What the thread hears beside work."""

    STOP = "stop"
    WAKE = "wake"  # the pool has room again


class Engine:
    """Draws and scores, off the event loop.

    Args:
        models: those that requests may be for.
        queue_size: requests waiting or under way before others are refused.
        tree_bytes: of all prefix trees together, at most.
        default: the id of the model that most requests are for: it has most of that, and
            its tree is filled while there is nothing else to do; None: there is none.
        pool_names: of the default model to have ready for requests that `take` them.
        deadline_s: seconds that a request may take.

    Attributes:
        deadline_s: as given.
        samplers: by model id; others may look at their trees and tallies.
        pool: likewise.
    """

    def __init__(
        self,
        models: Iterable[ServedModel],
        queue_size: int,
        tree_bytes: int = 0,
        default: str | None = None,
        pool_names: int = 0,
        deadline_s: float = 10,
    ) -> None:
        self._queue_size = queue_size
        self.deadline_s = deadline_s
        served = {model.id: model for model in models}
        shares = share_out(tree_bytes, served, default)
        self._pending = 0  # touched on the event loop alone
        self._inbox: queue.SimpleQueue[tuple[Job | Scoring, Task] | _Signal]
        self._inbox = queue.SimpleQueue()
        self._sleeping = False  # until something comes, for ever
        self._quiet_from = 0.0
        self.samplers = {
            name: Sampler(model.model, model.checkpoint.vocabulary, shares[name])
            for name, model in served.items()
        }
        self._scorers = {
            name: Scorer(model.model, model.checkpoint.vocabulary, self.samplers[name].tree)
            for name, model in served.items()
        }
        self._growing = self.samplers.get(default) if default else None
        self.pool = Pool(pool_names)
        self._filler = (
            PoolFiller(self.pool, served[default], self.samplers[default])
            if default in served and served[default].checkpoint.vocabulary.ends
            else None
        )
        self._default = default
        self._jobs: dict[Job, Task] = {}
        self._scorings: dict[Scoring, Task] = {}
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; for when no request is waiting for it any more."""
        self._inbox.put(_Signal.STOP)
        self._thread.join()

    def check_alive(self) -> None:
        """Raise EngineStoppedError unless the thread runs."""
        if not self._thread.is_alive():
            raise EngineStoppedError("the engine has stopped; this process must be replaced")

    @property
    def pending(self) -> int:
        """How many requests wait or are under way."""
        return self._pending

    def take(self, served: ServedModel, n: int) -> PooledNames | None:
        """Names for a request that has only an `n`, from the pool; None: it must `generate`."""
        if served.id != self._default:
            return None
        taken = self.pool.take(n)
        self._quiet_from = time.monotonic() + QUIET_S
        if self._sleeping and self._filling:
            self._inbox.put(_Signal.WAKE)
        return taken

    async def generate(self, served: ServedModel, request: GenerationRequest) -> Generated:
        """The names of a request.

        Raises:
            ParameterError: a value of it is out of this model's range.
            OverloadedError: too many requests wait already.
            DeadlineExceededError: it has taken too long.
            EngineStoppedError: the thread does not run.
        """
        result: Generated = await self._submit(served, served.job(request))
        return result

    async def score(
        self, served: ServedModel, words: list[str], parameter: str
    ) -> list[Score | ParameterError]:
        """The scores of some words, in order; of several, one at fault has its error instead.

        Args:
            served: by which model.
            words: at least one.
            parameter: what an error calls the list.

        Raises:
            ParameterError: naming `parameter[0]`, the only word, which cannot be scored.
            Others as `generate`.
        """
        both, lenient = (served.model, served.checkpoint.vocabulary), len(words) > 1
        scoring = Scoring(*both, words, parameter, lenient=lenient)
        scores = iter(await self._submit(served, scoring))
        return [scoring.faults.get(i) or next(scores) for i in range(len(words))]

    async def work_on(self, served: ServedModel, works: Sequence[Job | Scoring]) -> list[Any]:
        """Results of work made for a model, in one place of the queue; raises as `generate`."""
        self.check_alive()
        if self._pending >= self._queue_size:
            raise OverloadedError(
                f"{self._queue_size} requests are under way already; please try again shortly"
            )
        self._pending += 1
        loop = asyncio.get_running_loop()
        futures = [loop.create_future() for _ in works]
        timer = loop.call_later(self.deadline_s, self._expire, futures)
        try:
            for work, future in zip(works, futures, strict=True):
                self._inbox.put((work, Task(served, future)))
            return await asyncio.gather(*futures)
        finally:
            for future in futures:
                future.cancel()
            timer.cancel()
            self._pending -= 1

    async def _submit(self, served: ServedModel, work: Job | Scoring) -> Any:
        return (await self.work_on(served, [work]))[0]

    def _expire(self, futures: "list[asyncio.Future[Any]]") -> None:
        message = f"this was not done in {self.deadline_s:g} s, the most it may take"
        for future in futures:
            if not future.done():
                future.set_exception(DeadlineExceededError(message))

    # ------------------------------------------------ the worker thread

    @property
    def _busy(self) -> bool:
        return bool(self._jobs or self._scorings)

    @property
    def _patience_s(self) -> float | None:
        """How long to wait for work before doing something else; None: there is nothing else."""
        if self._busy or self._growing:
            return 0
        return max(0, self._quiet_from - time.monotonic()) if self._filling else None

    @property
    def _filling(self) -> bool:
        return self._filler is not None and self.pool.wanted

    def _run(self) -> None:
        while self._receive():
            if self._busy:
                self._advance()
            elif self._growing:
                self._grow(self._growing)
            elif self._filler and self._patience_s == 0:
                self._fill(self._filler)

    def _receive(self) -> bool:
        """Take in all that waits, or wait if there is nothing to do; False to stop."""
        while True:
            patience_s = self._patience_s
            self._sleeping = patience_s is None
            try:
                arrived = self._inbox.get(timeout=patience_s)
            except queue.Empty:
                return True
            if isinstance(arrived, _Signal):
                if arrived is _Signal.STOP:
                    return False
                continue
            if self._filler:
                self._filler.stop()
            work, task = arrived
            if isinstance(work, Job):
                self._jobs[work] = task
                self.samplers[task.served.id].add(work)
            else:
                self._scorings[work] = task
                self._scorers[task.served.id].add(work)

    def _advance(self) -> None:
        """One character in the rows of every busy model."""
        self._forget_abandoned()
        for model_id, sampler in self.samplers.items():
            if sampler.busy:
                self._step(model_id, sampler)
        for model_id, scorer in self._scorers.items():
            if scorer.busy:
                self._score(model_id, scorer)

    def _grow(self, sampler: Sampler) -> None:
        """One step towards a full tree, so short that a request which comes meanwhile can wait."""
        try:
            sampler.grow()
        except Exception:  # requests will tell what is wrong
            logger.exception("the default model failed while its prefix tree was filled")
            sampler.clear()
            self._growing = None
        else:
            self._growing = None if sampler.grown else sampler

    def _fill(self, filler: PoolFiller) -> None:
        """One step towards a full pool, likewise."""
        try:
            filler.step()
        except Exception:
            logger.exception("the default model failed while its pool was filled")
            self.samplers[filler.model_id].clear()
            self._filler = None

    def _forget_abandoned(self) -> None:
        """Drop the work of requests that no one awaits any more."""
        for job in [job for job, task in self._jobs.items() if task.abandoned]:
            self.samplers[self._jobs.pop(job).served.id].remove(job)
        for scoring in [one for one, task in self._scorings.items() if task.abandoned]:
            self._scorers[self._scorings.pop(scoring).served.id].remove(scoring)

    def _step(self, model_id: str, sampler: Sampler) -> None:
        try:
            results = [(job, job.result()) for job in sampler.step()]
        except Exception as error:  # the thread must live on, whatever a model does
            logger.exception("model %s failed while drawing", model_id)
            sampler.clear()  # makes no tensor: a device that is lost could not give one
            failed = [job for job, task in self._jobs.items() if task.served.id == model_id]
            settle([Outcome(self._jobs.pop(job), error=error) for job in failed])
            return
        settle([Outcome(self._jobs.pop(job), result) for job, result in results])

    def _score(self, model_id: str, scorer: Scorer) -> None:
        try:
            results = [(scoring, scoring.result()) for scoring in scorer.step()]
        except Exception as error:  # as above
            logger.exception("model %s failed while scoring", model_id)
            scorer.clear()
            failed = [one for one, task in self._scorings.items() if task.served.id == model_id]
            settle([Outcome(self._scorings.pop(scoring), error=error) for scoring in failed])
            return
        settle([Outcome(self._scorings.pop(scoring), result) for scoring, result in results])

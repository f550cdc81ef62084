"""One worker thread that draws and scores for every request of the process.

Torch never runs on the event loop: a request is checked there, handed to the
thread, and awaited. The thread goes round all that is under way, one character
at a time, so requests of one model share its rows, those for names and those for
scores apart, and a short one does not wait for a long one to end. How many may be
under way is bounded.
"""

import asyncio
import logging
import queue
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from app.catalog import ServedModel
from app.errors import EngineStoppedError, OverloadedError
from models.generation import Sampler
from models.request import Generated, GenerationRequest, Job
from models.score import Score, Scoring
from models.scoring import Scorer

logger = logging.getLogger("uvicorn.error")


@dataclass(frozen=True)
class _Task:
    """Whose work it is: the model and the future that awaits the result."""

    served: ServedModel
    future: "asyncio.Future[Any]"


class Engine:
    """Draws and scores, off the event loop.

    Args:
        models: those that requests may be for.
        queue_size: requests waiting or under way before others are refused.
        tree_bytes: of all prefix trees together, at most.
        default: the id of the model that most requests are for: it has half of that, and
            its tree is filled while there is nothing else to do; None: there is none.
    """

    def __init__(
        self,
        models: Iterable[ServedModel],
        queue_size: int,
        tree_bytes: int = 0,
        default: str | None = None,
    ) -> None:
        self._queue_size = queue_size
        served = {model.id: model for model in models}
        shares = _share_out(tree_bytes, served, default)
        self._pending = 0  # touched on the event loop alone
        self._inbox: queue.SimpleQueue[tuple[Job | Scoring, _Task] | None] = queue.SimpleQueue()
        self._samplers = {
            name: Sampler(model.model, model.checkpoint.vocabulary, shares[name])
            for name, model in served.items()
        }
        self._scorers = {
            name: Scorer(model.model, model.checkpoint.vocabulary, self._samplers[name].tree)
            for name, model in served.items()
        }
        self._growing = self._samplers.get(default) if default else None
        self._jobs: dict[Job, _Task] = {}
        self._scorings: dict[Scoring, _Task] = {}
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; for when no request is waiting for it any more."""
        self._inbox.put(None)
        self._thread.join()

    def check_alive(self) -> None:
        """Raise EngineStoppedError unless the thread runs."""
        if not self._thread.is_alive():
            raise EngineStoppedError("the engine has stopped; this process must be replaced")

    async def generate(self, served: ServedModel, request: GenerationRequest) -> Generated:
        """The names of a request.

        Raises:
            ParameterError: a value of it is out of this model's range.
            OverloadedError: too many requests wait already.
            EngineStoppedError: the thread does not run.
        """
        job = Job(request, served.model, served.checkpoint.vocabulary)
        result: Generated = await self._submit(served, job)
        return result

    async def score(self, served: ServedModel, words: list[str], parameter: str) -> list[Score]:
        """The scores of some words, in order.

        Args:
            served: by which model.
            words: at least one.
            parameter: what an error calls the list.

        Raises:
            ParameterError: naming `parameter[i]`, a word that the model cannot score.
            OverloadedError: too many requests wait already.
            EngineStoppedError: the thread does not run.
        """
        scoring = Scoring(served.model, served.checkpoint.vocabulary, words, parameter)
        result: list[Score] = await self._submit(served, scoring)
        return result

    async def _submit(self, served: ServedModel, work: Job | Scoring) -> Any:
        self.check_alive()
        if self._pending >= self._queue_size:
            raise OverloadedError(
                f"{self._queue_size} requests are under way already; please try again shortly"
            )
        self._pending += 1
        try:
            future = asyncio.get_running_loop().create_future()
            self._inbox.put((work, _Task(served, future)))
            return await future
        finally:
            self._pending -= 1

    # ------------------------------------------------ the worker thread

    @property
    def _busy(self) -> bool:
        return bool(self._jobs or self._scorings)

    def _run(self) -> None:
        while self._receive():
            if self._busy:
                self._advance()
            elif self._growing:
                self._grow(self._growing)

    def _receive(self) -> bool:
        """Take in all that waits, or wait if there is nothing to do; False to stop."""
        while True:
            try:
                arrived = self._inbox.get(block=not (self._busy or self._growing))
            except queue.Empty:
                return True
            if arrived is None:
                return False
            work, task = arrived
            if isinstance(work, Job):
                self._jobs[work] = task
                self._samplers[task.served.id].add(work)
            else:
                self._scorings[work] = task
                self._scorers[task.served.id].add(work)

    def _advance(self) -> None:
        """One character in the rows of every busy model."""
        self._forget_cancelled()
        for model_id, sampler in self._samplers.items():
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

    def _forget_cancelled(self) -> None:
        """Drop the work of requests that no one awaits any more."""
        for job in [job for job, task in self._jobs.items() if task.future.cancelled()]:
            self._samplers[self._jobs.pop(job).served.id].remove(job)
        for scoring in [one for one, task in self._scorings.items() if task.future.cancelled()]:
            self._scorers[self._scorings.pop(scoring).served.id].remove(scoring)

    def _step(self, model_id: str, sampler: Sampler) -> None:
        try:
            completed = sampler.step()
        except Exception as error:  # the thread must live on, whatever a model does
            logger.exception("model %s failed while drawing", model_id)
            sampler.clear()  # makes no tensor: a device that is lost could not give one
            for job in [job for job, task in self._jobs.items() if task.served.id == model_id]:
                self._resolve(self._jobs.pop(job), error=error)
            return
        for job in completed:
            self._resolve(self._jobs.pop(job), result=job.result())

    def _score(self, model_id: str, scorer: Scorer) -> None:
        try:
            completed = scorer.step()
        except Exception as error:  # as above
            logger.exception("model %s failed while scoring", model_id)
            scorer.clear()
            mine = [one for one, task in self._scorings.items() if task.served.id == model_id]
            for scoring in mine:
                self._resolve(self._scorings.pop(scoring), error=error)
            return
        for scoring in completed:
            self._resolve(self._scorings.pop(scoring), result=scoring.result())

    def _resolve(self, task: _Task, *, result: Any = None, error: Exception | None = None) -> None:
        def settle() -> None:
            if task.future.done():  # its request was cancelled
                return
            if error is not None:
                task.future.set_exception(error)
            else:
                task.future.set_result(result)

        task.future.get_loop().call_soon_threadsafe(settle)


def _share_out(tree_bytes: int, models: Iterable[str], default: str | None) -> dict[str, int]:
    """Bytes for each model's tree: half of them for the default one, if there are others."""
    names = list(models)
    others = [name for name in names if name != default]
    if len(others) == len(names):
        return {name: tree_bytes // len(names) for name in names}
    rest = tree_bytes // 2 if others else 0
    return {name: rest // len(others) for name in others} | {str(default): tree_bytes - rest}

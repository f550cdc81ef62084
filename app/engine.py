"""One worker thread that draws and scores for every request of the process.

Torch never runs on the event loop: a request is checked there, handed to the thread, and awaited.
The thread goes round all that is under way, one character at a time, so requests of one model share
its rows, those for names and those for scores apart, and a short one does not wait for a long one.
Models for which there are only streams go one at a time, and seldom while there is something else.
How many requests may be under way is bounded, and for how long. While there is nothing to do the
thread has leisure.
"""

import asyncio
import queue
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from typing import Any, cast
from weakref import WeakKeyDictionary

from app.catalog import ServedModel, share_out
from app.errors import DeadlineExceededError, EngineStoppedError, OverloadedError
from app.lanes import Lane
from app.leisure import Leisure
from app.pool import Pool, PooledNames
from app.stream_places import StreamPlaces
from app.tasks import Task, settle
from app.turns import CROWD, Turns
from models.errors import ParameterError
from models.generation import Sampler
from models.request import Generated, GenerationRequest, Job
from models.score import Score, Scoring

PATIENCE_S = 0.05
"""Between two steps of streams while others wait for an answer: a step takes milliseconds."""
PATIENT_FOR = 0.25
"""Of its deadline, for which a piece of a stream lets others go first: it must meet that as well,
and has a step for each character."""
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
        queue_size, deadline_s: as given.
        pool: names that are ready; others may look at how many.
        stream_places: that streams take while they draw.
        on_lost: called by the thread when the device of a model has stopped working.
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
        self.queue_size = queue_size
        self.deadline_s = deadline_s
        self._tree_bytes = tree_bytes
        self._default = default
        self._pool_names = pool_names
        self._pending = 0  # touched on the event loop alone
        self._inbox: queue.SimpleQueue[tuple[Lane, Job | Scoring, Task] | Leisure | _Signal]
        self._inbox = queue.SimpleQueue()
        self._sleeping = False  # until something comes, for ever
        self._quiet_from = 0.0
        # Those of now, by id; and of each model that a request may still hold. The event loop's.
        self._lanes: dict[str, Lane] = {}
        self._held: WeakKeyDictionary[ServedModel, Lane] = WeakKeyDictionary()
        self._pooled: ServedModel | None = None
        self.pool = Pool(0)
        self.stream_places = StreamPlaces()
        self.on_lost: Callable[[], None] = lambda: None
        self._turns = Turns()
        # The thread's.
        self._active: dict[Lane, None] = {}
        self._next_patient_s = 0.0  # when a step may be for streams alone, whatever else there is
        self._leisure = self._exchange(models)
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; for when no request is waiting for it any more."""
        self._inbox.put(_Signal.STOP)
        self._thread.join()

    def exchange(self, models: Iterable[ServedModel]) -> None:
        """Serve these models from now on; on the event loop.

        A model that was served before, the same object with the same share of memory, keeps
        all that is known of it. One that is gone still serves the requests that hold it.
        """
        self._inbox.put(self._exchange(models))

    def check_alive(self) -> None:
        """Raise EngineStoppedError unless the thread runs, and every device with it."""
        if not self._thread.is_alive():
            raise EngineStoppedError("the engine has stopped; this process must be replaced")
        if any(lane.lost for lane in self._lanes.values()):
            raise EngineStoppedError("a device is lost; this process must be replaced")

    @property
    def pending(self) -> int:
        """How many requests wait or are under way."""
        return self._pending

    @property
    def samplers(self) -> dict[str, Sampler]:
        """By model id; others may look at their trees and tallies."""
        return {name: lane.sampler for name, lane in self._lanes.items()}

    def take(self, served: ServedModel, n: int) -> PooledNames | None:
        """Names for a request that has only an `n`, from the pool; None: it must `generate`."""
        if served is not self._pooled:
            return None
        taken = self.pool.take(n)
        self._quiet_from = time.monotonic() + QUIET_S
        if self._sleeping and self._leisure.filling:
            self._inbox.put(_Signal.WAKE)
        return taken

    async def generate(
        self, served: ServedModel, request: GenerationRequest, *, patient: bool = False
    ) -> Generated:
        """The names of a request.

        Args:
            served: by which model.
            request: for what.
            patient: whether others go first, at the beginning: it is a piece of something long.

        Raises:
            ParameterError: a value of it is out of this model's range.
            OverloadedError: too many requests wait already.
            DeadlineExceededError: it has taken too long.
            DeviceLostError: its device has stopped working.
            EngineStoppedError: the thread does not run.
        """
        (generated,) = await self.work_on(served, [served.job(request)], patient=patient)
        return cast(Generated, generated)

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
        scores = iter((await self.work_on(served, [scoring]))[0])
        return [scoring.faults.get(i) or next(scores) for i in range(len(words))]

    async def work_on(
        self, served: ServedModel, works: Sequence[Job | Scoring], *, patient: bool = False
    ) -> list[Any]:
        """Results of work made for a model, in one place of the queue.

        Args:
            served: the model.
            works: made for it.
            patient: as of `generate`, which raises the same errors, too.
        """
        self.check_alive()
        if self._pending >= self.queue_size:
            raise OverloadedError(
                f"{self.queue_size} requests are under way already; please try again shortly"
            )
        self._pending += 1
        loop = self._turns.join()
        lane = self._held[served]
        futures = [loop.create_future() for _ in works]
        timer = loop.call_later(self.deadline_s, self._expire, futures)
        patient_s = PATIENT_FOR * self.deadline_s if patient else 0
        try:
            for work, future in zip(works, futures, strict=True):
                task = Task(future, time.monotonic() + patient_s)
                self._inbox.put((lane, work, task))
            return await asyncio.gather(*futures)
        finally:
            for future in futures:
                future.cancel()
            timer.cancel()
            self._pending -= 1

    def _expire(self, futures: "list[asyncio.Future[Any]]") -> None:
        message = f"this was not done in {self.deadline_s:g} s, the most it may take"
        for future in futures:
            if not future.done():
                future.set_exception(DeadlineExceededError(message))

    def _exchange(self, models: Iterable[ServedModel]) -> Leisure:
        """Have lanes for these models; what the thread is to do with its time from now on."""
        served = {model.id: model for model in models}
        before, self._lanes = self._lanes, {}
        for name, share in share_out(self._tree_bytes, served, self._default).items():
            lane = self._held.get(served[name])
            if lane is None or lane.tree_bytes != share:
                tally = before[name].sampler.tally if name in before else None
                lane = Lane(served[name], share, tally)
            self._lanes[name] = self._held[served[name]] = lane
        default = served.get(self._default or "")
        if default is not self._pooled:
            ends = default is not None and default.checkpoint.vocabulary.ends
            self.pool = Pool(self._pool_names if ends else 0)
            self._pooled = default
        return Leisure(self._lanes.get(self._default or ""), default, self.pool)

    # ------------------------------------------------ the worker thread

    @property
    def _busy(self) -> bool:
        return any(lane.busy for lane in tuple(self._active))

    @property
    def _patience_s(self) -> float | None:
        """How long to wait for work before doing something else; None: there is nothing else."""
        if self._busy or self._leisure.growing:
            return 0
        return max(0, self._quiet_from - time.monotonic()) if self._leisure.filling else None

    def _run(self) -> None:
        while self._receive():
            if self._busy:
                self._advance()
                if self._pending >= CROWD:
                    self._turns.give_way()
            elif self._leisure.growing:
                self._leisure.grow()
            elif self._patience_s == 0:
                self._leisure.fill()

    def _receive(self) -> bool:
        """Take in all that waits, or wait if there is nothing to do; False to stop."""
        while True:
            if not self._busy:
                self._turns.done()
            patience_s = self._patience_s
            self._sleeping = patience_s is None
            try:
                arrived = self._inbox.get(timeout=patience_s)
            except queue.Empty:
                return True
            if arrived is _Signal.STOP:
                return False
            if isinstance(arrived, _Signal):
                continue
            self._leisure.stop()
            if isinstance(arrived, Leisure):
                self._leisure = arrived
                continue
            lane, work, task = arrived
            lane.add(work, task)
            self._active[lane] = None

    def _advance(self) -> None:
        """One character in the rows of every model that someone waits for, or of a patient one."""
        patient = [lane for lane in self._active if lane.patient]  # asked once: it has an end
        lanes = [lane for lane in self._active if lane not in patient]
        if patient and (not lanes or time.monotonic() > self._next_patient_s):
            first = patient[0]
            self._active[first] = self._active.pop(first)  # the last of them, from now on
            lanes.append(first)
            self._next_patient_s = time.monotonic() + PATIENCE_S
        for lane in lanes:
            for outcomes in lane.step():
                settle(outcomes)
            if not lane.busy:
                del self._active[lane]
            if lane.lost:
                self.on_lost()

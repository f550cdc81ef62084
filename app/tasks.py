"""What the event loop awaits while the engine's thread works on it."""

import asyncio
import time
from dataclasses import dataclass
from typing import Any

from app.admission import A_ROUND


@dataclass(frozen=True)
class Task:
    """Whose work it is.

    Attributes:
        future: awaits the result.
        patient_until_s: others go first until then, by `time.monotonic`.
    """

    future: "asyncio.Future[Any]"
    patient_until_s: float = 0.0

    @property
    def patient(self) -> bool:
        """Whether others go first, by now."""
        return time.monotonic() < self.patient_until_s

    @property
    def abandoned(self) -> bool:
        """Whether no one awaits it any more: it was cancelled, or has run out of time."""
        return self.future.done()


@dataclass(frozen=True)
class Outcome:
    """What has come of a task: a result, or the error that it failed with."""

    task: Task
    result: Any = None
    error: Exception | None = None


def settle(outcomes: list[Outcome]) -> None:
    """Resolve the futures of some tasks, from the thread, waking the event loop once."""
    if outcomes:
        loop = outcomes[0].task.future.get_loop()  # a process has but one
        loop.call_soon_threadsafe(_resolve, outcomes)


def _resolve(outcomes: list[Outcome], start: int = 0) -> None:
    """Those from `start` on, some in each round of the event loop: answers take their time too."""
    if start + A_ROUND < len(outcomes):
        asyncio.get_running_loop().call_soon(_resolve, outcomes, start + A_ROUND)
    for outcome in outcomes[start : start + A_ROUND]:
        if outcome.task.abandoned:
            continue
        if outcome.error is not None:
            outcome.task.future.set_exception(outcome.error)
        else:
            outcome.task.future.set_result(outcome.result)

"""Fits side by side: one in this process, each other one in a process of its own.

A worker is asked to stop over its pipe. Signals are for this process alone: a
terminal's Ctrl-C reaches every process, and would kill a worker that is still
starting. A worker ends when this process does, however that comes about.
"""

import multiprocessing
import os
import signal
import threading
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from typing import Any, Generic, TypeVar, cast

from training.stopping import SIGNALS, Stop

Asked = Callable[[], bool]
"""Whether to stop now."""
Own = TypeVar("Own")
Other = TypeVar("Other")


def side_by_side(
    own: Callable[[Asked], Own], others: Sequence[Callable[[Asked], Other]]
) -> tuple[Own, list[Other]]:
    """Do `own` here and each of `others` in a worker, all at once.

    Args:
        own: also told to stop when a worker has failed.
        others: can be pickled, and so can what they return.

    Raises:
        ChildProcessError: a worker was killed.
        Exception: what any of them raises; the others are ended where they are.
    """
    workers: list[_Worker[Other]] = []

    def pass_on() -> None:
        for worker in workers:
            worker.ask_to_stop()

    with Stop(pass_on) as asked:
        try:
            for other in others:
                workers.append(_Worker(other))
            if asked():  # before all of them were there to be told
                pass_on()
            done = own(lambda: asked() or any(worker.failed() for worker in workers))
            return done, [worker.result() for worker in workers]
        finally:
            for worker in workers:
                worker.end()


@dataclass(frozen=True)
class _Outcome:
    """What came of some work: a value, or an error."""

    value: Any = None
    error: Exception | None = None


class _Worker(Generic[Other]):
    """A process that does one piece of work."""

    def __init__(self, work: Callable[[Asked], Other]) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, far_end = context.Pipe()
        self._process = context.Process(target=_do, args=(far_end, work))
        self._outcome: _Outcome | None = None
        # Else the first start would launch it, and unblock the signals again.
        resource_tracker.ensure_running()
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # which the worker inherits
        try:
            self._process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        far_end.close()

    def ask_to_stop(self) -> None:
        """Ask, without waiting; one that has ended does not mind."""
        with suppress(OSError):
            self._connection.send_bytes(b"stop")

    def failed(self) -> bool:
        """Whether it has ended with an error."""
        if self._outcome is None and self._connection.poll():
            self._outcome = self._receive()
        return self._outcome is not None and self._outcome.error is not None

    def result(self) -> Other:
        """What its work returned, once it has; what its work raised is raised."""
        self._outcome = self._outcome or self._receive()
        if self._outcome.error is not None:
            raise self._outcome.error
        return cast(Other, self._outcome.value)

    def end(self) -> None:
        """End the process, at whatever it is; one that is done ends by itself."""
        if self._outcome is None:
            self._process.kill()
        self._process.join()
        self._connection.close()

    def _receive(self) -> _Outcome:
        try:
            return cast(_Outcome, self._connection.recv())
        except (EOFError, ConnectionResetError):
            message = "a worker process was killed; the same command goes on from there"
            return _Outcome(error=ChildProcessError(message))


def _do(connection: Connection, work: Callable[[Asked], Any]) -> None:
    """A worker's life."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        outcome = _Outcome(work(connection.poll))
    except Exception as error:
        error.add_note(f"In a worker process:\n{traceback.format_exc()}")
        outcome = _Outcome(error=error)
    connection.send(outcome)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)

"""Several server processes, and their parent.

The parent does not serve. It holds the socket on which clients arrive, tells its workers what to
do (line.py), and sees at once when one has ended. A spare, which has loaded everything and waits,
then takes its place, and another spare is started; where there is none, a worker is. What keeps a
replacement from starting may be new, a file that someone is just writing: as long as others
serve, another try is made later. Where none serves, the service has failed.

Signals are as of one process alone (server.py): all workers are unready together, then newcomers
are turned away, and then all stop.
"""

import logging
import multiprocessing
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from uvicorn.config import STARTUP_FAILURE

from app.line import DRAIN, LOADED, RELOAD, SERVE, SERVING, STOP, work
from app.listening import turn_away
from app.settings import Settings
from app.signals import LAST_CALL_S, Terminal, status_of
from app.starvation import Threads, is_starved, threads_of

RETRY_S = 5.0
"""After a replacement that could not start, until the next."""
HELD_UP_S = 30.0
"""Before a worker that says nothing counts as hung and is replaced, its requests lost: on a
machine that is short of cores a busy one can be silent for seconds. Time in which it, or the
parent, had no core does not count."""
OVERDUE_S = 3.0
"""Beyond the time that requests under way have; then a worker that should have ended is killed."""

_LOOK_S = 1.0
_SILENT_S = 5.0
"""After which it is looked at whether a worker can run at all."""

logger = logging.getLogger("uvicorn.error")


@dataclass(eq=False)
class _Worker:
    """A child, as its parent knows it.

    Attributes:
        process: it.
        pipe: to it.
        loaded: whether it has said that it is.
        told: whether it was told to serve; else it is a spare.
        serving: whether it has said that it does.
        heard_s: when it last said anything, by `time.monotonic`; later by what does not count.
        threads: its, as they were at the last look, if it was silent then.
    """

    process: BaseProcess
    pipe: Connection
    loaded: bool = False
    told: bool = False
    serving: bool = False
    heard_s: float = field(default_factory=time.monotonic)
    threads: Threads = field(default_factory=dict)

    def tell(self, order: bytes) -> None:
        """Say something; one that has just ended is noticed by its end."""
        with suppress(OSError):
            self.pipe.send_bytes(order)

    def hear(self) -> None:
        """Take in all that it has said."""
        with suppress(EOFError, OSError):
            while self.pipe.poll():
                word = self.pipe.recv_bytes()
                self.heard_s = time.monotonic()
                self.loaded |= word == LOADED
                self.serving |= word == SERVING


class Workers:
    """The parent.

    Args:
        settings: the service's.
        listener: bound.
    """

    def __init__(self, settings: Settings, listener: socket.socket) -> None:
        self._settings = settings
        self._listener = listener
        self._context = multiprocessing.get_context("spawn")
        self._workers: list[_Worker] = []
        self._signals: list[int] = []
        self._retry_at_s = 0.0
        self._judged_s = time.monotonic()
        self._terminal = Terminal()

    def run(self) -> int:
        """Serve until a signal; returns the exit status."""
        with self._noticing_signals() as noticed:
            while True:
                self._staff()
                self._hear(noticed, _LOOK_S)
                if self._bury() and not self._retry():
                    self._kill(self._workers)
                    return STARTUP_FAILURE
                self._judge()
                for number in self._taken_signals():
                    if number == signal.SIGHUP and not self._terminal.closed:
                        self._tell(RELOAD)
                    else:
                        return self._end(number, noticed)

    # Starting

    def _staff(self) -> None:
        """Have as many workers serve as there should be, and spares wait."""
        missing = self._settings.workers - sum(each.told for each in self._workers)
        spares = sorted(self._spares, key=lambda each: not each.loaded)
        for worker in spares[: max(0, missing)]:
            self._appoint(worker)
            missing -= 1
        if time.monotonic() < self._retry_at_s:
            return
        for _ in range(missing):
            self._appoint(self._hire())
        # Not before those who serve do, and one at a time: a start takes a core for seconds.
        settled = all(each.serving if each.told else each.loaded for each in self._workers)
        if settled and len(self._spares) < self._settings.spares:
            self._hire()

    def _retry(self) -> bool:
        """After a start that has failed: whether another is to be made, later."""
        serving = sum(each.serving for each in self._workers)
        if not serving:
            return False
        self._retry_at_s = time.monotonic() + RETRY_S
        logger.error("%d serve on, and it is tried again in %g s", serving, RETRY_S)
        return True

    @property
    def _spares(self) -> list[_Worker]:
        return [each for each in self._workers if not each.told]

    def _hire(self) -> _Worker:
        pipe, far_end = self._context.Pipe()
        process = self._context.Process(target=work, args=(self._settings, self._listener, far_end))
        process.start()
        far_end.close()
        self._workers.append(_Worker(process, pipe))
        return self._workers[-1]

    def _appoint(self, worker: _Worker) -> None:
        worker.told = True
        worker.tell(SERVE)

    # Looking after them

    def _hear(self, noticed: socket.socket, timeout_s: float) -> None:
        """Wait for something to happen, and take in what the workers say."""
        sentinels = [each.process.sentinel for each in self._workers]
        pipes = {each.pipe: each for each in self._workers}
        for ready in wait([noticed, *sentinels, *pipes], timeout_s):
            if isinstance(ready, Connection):
                pipes[ready].hear()
        with suppress(BlockingIOError):
            noticed.recv(4096)

    def _bury(self) -> bool:
        """Let go of those that have ended; returns whether one could not start."""
        failed = False
        for worker in [each for each in self._workers if each.process.exitcode is not None]:
            self._workers.remove(worker)
            worker.pipe.close()
            status, what = worker.process.exitcode, "worker" if worker.told else "spare worker"
            if status is not None and status > 0 and not worker.loaded:
                failed = True
            elif status:
                logger.error("%s [%s] has ended: %s", what, worker.process.pid, _cause(status))
        return failed

    def _judge(self) -> None:
        """End those that are hung; they are replaced like any that end."""
        now_s = time.monotonic()
        passed_s, self._judged_s = now_s - self._judged_s, now_s
        for worker in self._workers:
            silent = worker.serving and now_s - worker.heard_s > _SILENT_S
            threads = threads_of(worker.process.pid or 0) if silent else {}
            if is_starved(worker.threads, threads):
                worker.heard_s += passed_s
            else:  # looks are a second apart, unless it is the parent that had no core
                worker.heard_s += max(0.0, passed_s - 2 * _LOOK_S)
            worker.threads = threads
            if worker.serving and now_s - worker.heard_s > HELD_UP_S:
                logger.error("worker [%s] has hung for %g s", worker.process.pid, HELD_UP_S)
                worker.process.kill()

    # Ending

    def _end(self, number: int, noticed: socket.socket) -> int:
        logger.info("asked to end")
        self._kill([each for each in self._workers if not each.serving])
        self._tell(DRAIN)
        limit_s = self._settings.shutdown_timeout_s + OVERDUE_S
        drain_s = self._settings.drain_s if number == signal.SIGTERM else 0
        for seconds, after in (
            (drain_s, self._turn_away),
            (LAST_CALL_S, self._stop),
            (limit_s, None),
        ):
            if again := self._wait(seconds, noticed):
                logger.error("asked to end once more: at once, whatever is under way")
                self._kill(self._workers)
                return status_of(again)
            if after:
                after()
        if self._workers:
            logger.error("%d workers have not ended in %g s", len(self._workers), limit_s)
            self._kill(self._workers)
        return 0

    def _turn_away(self) -> None:
        turn_away(self._listener)

    def _stop(self) -> None:
        self._tell(STOP)
        self._listener.close()

    def _wait(self, seconds: float, noticed: socket.socket) -> int | None:
        """Until then, or until all workers have ended, or a signal comes, which is returned."""
        until_s = time.monotonic() + seconds
        while self._workers and (left_s := until_s - time.monotonic()) > 0:
            self._hear(noticed, left_s)
            self._bury()
            if taken := self._taken_signals():
                return taken[0]
        return None

    def _tell(self, order: bytes) -> None:
        for worker in self._workers:
            worker.tell(order)

    def _kill(self, workers: list[_Worker]) -> None:
        for worker in workers:
            worker.process.kill()
        for worker in tuple(workers):
            worker.process.join()
            self._workers.remove(worker)

    # Signals

    @contextmanager
    def _noticing_signals(self) -> Iterator[socket.socket]:
        """Within, signals are kept to be taken; the socket has something to read when one comes."""
        near, far = socket.socketpair()
        near.setblocking(False)
        far.setblocking(False)
        signal.set_wakeup_fd(far.fileno(), warn_on_full_buffer=False)
        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        before = {
            each: signal.signal(each, lambda *got: self._signals.append(got[0])) for each in numbers
        }
        try:
            yield near
        finally:
            signal.set_wakeup_fd(-1)
            for each, handler in before.items():
                signal.signal(each, handler)
            near.close()
            far.close()

    def _taken_signals(self) -> list[int]:
        taken, self._signals = self._signals, []
        return taken


def _cause(status: int) -> str:
    """Why a process has ended, in words."""
    return f"by signal {-status}" if status < 0 else f"with status {status}"

"""Between a worker and its parent: a pipe, and what each says to the other.

A worker says when it is loaded, when it serves, and once a second that it lives; it is told to
serve, to be unready, to stop, or to load its checkpoints again. Signals are the parent's
business: a worker ignores those that may reach all processes of a terminal or a service at once.

When the parent ends, however that comes, the pipe ends as well. The worker then finishes what is
under way, but has no time for more: it would keep the port.
"""

import asyncio
import logging
import os
import shutil
import signal
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection

from app.metrics_folder import VARIABLE
from app.settings import Settings

LOADED, SERVING, ALIVE = b"loaded", b"serving", b"alive"
"""What a worker says."""
SERVE, DRAIN, STOP, RELOAD = b"serve", b"drain", b"stop", b"reload"
"""What it is told; and ORPHANED by the end of the pipe."""
ORPHANED = b""
ORPHAN_S = 1.0
"""For what is under way in a worker whose parent is gone."""

_IGNORED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

logger = logging.getLogger("uvicorn.error")


class Line:
    """A worker's end. What the parent says waits until there is an event loop to hear it.

    Args:
        pipe: to the parent.
    """

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._lock = threading.Lock()
        self._waiting: list[bytes] = []
        self._tell: Callable[[bytes], object] = self._waiting.append
        self._connected = False
        threading.Thread(target=self._listen, name="parent", daemon=True).start()

    def connect(self, obey: Callable[[bytes], None]) -> None:
        """Have `obey` called, on the event loop that runs, with each thing that is said."""
        loop = asyncio.get_running_loop()
        with self._lock:
            self._tell = lambda order: loop.call_soon_threadsafe(obey, order)
            for order in self._waiting:
                self._tell(order)
            self._connected = True

    def say(self, word: bytes) -> None:
        """Tell the parent; if it is gone, the end of the pipe tells."""
        with suppress(OSError):
            self._pipe.send_bytes(word)

    def _listen(self) -> None:
        while True:
            try:
                order = self._pipe.recv_bytes()
            except (EOFError, OSError):
                break
            with self._lock:
                self._tell(order)
        logger.error("the parent process has ended; so does this one")
        if folder := os.environ.get(VARIABLE):  # there is no one else to remove it
            shutil.rmtree(folder, ignore_errors=True)
        with self._lock:
            self._tell(ORPHANED)
        if self._connected:
            time.sleep(ORPHAN_S)
        os._exit(1)


def work(settings: Settings, listener: socket.socket, pipe: Connection) -> None:
    """Be a worker until told to stop; the process ends with a status.

    Args:
        settings: the service's.
        listener: bound, and shared with the other workers.
        pipe: to the parent.
    """
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)
    line = Line(pipe)
    from app.worker import Worker  # a parent that ends during the seconds of this is noticed

    worker = Worker(settings, line)
    worker.run([listener])
    logging.shutdown()
    os._exit(worker.status)  # else the interpreter takes seconds to take itself apart

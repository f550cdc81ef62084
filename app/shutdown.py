"""What has no end of its own stops when the process is asked to.

The server tells an application that it shuts down only after the last answer has
ended. A signal tells earlier: its handler, the server's, is called by ours.
"""

import asyncio
import signal
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, TypeVar

T = TypeVar("T")


class ShuttingDownError(Exception):
    """The process ends before the work was done; never told to a client as an error."""


class Shutdown:
    """Whether the process was asked to end."""

    def __init__(self) -> None:
        self._begun = asyncio.Event()

    def begin(self) -> None:
        """The process was asked to end; on the event loop."""
        self._begun.set()

    @contextmanager
    def watch_signals(self) -> Iterator[None]:
        """Notice SIGINT and SIGTERM within, where a server handles them in this thread.

        Where no one does, the signals keep their effect and are not noticed.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        loop = asyncio.get_running_loop()
        handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

        def handle(number: int, frame: FrameType | None) -> None:
            loop.call_soon_threadsafe(self.begin)
            handler = handlers[signal.Signals(number)]
            if callable(handler):
                handler(number, frame)

        handled = {number: handler for number, handler in handlers.items() if callable(handler)}
        for number in handled:
            signal.signal(number, handle)
        try:
            yield
        finally:
            for number, handler in handled.items():
                signal.signal(number, handler)

    async def unless_begun(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of `work`, which is cancelled when the process is asked to end.

        Raises:
            ShuttingDownError: it was asked to.
        """
        task = asyncio.ensure_future(work)
        begun = asyncio.ensure_future(self._begun.wait())
        try:
            await asyncio.wait((task, begun), return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise ShuttingDownError
            return task.result()
        finally:
            task.cancel()
            begun.cancel()

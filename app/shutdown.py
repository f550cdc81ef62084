"""What has no end of its own stops when the process is asked to.

The server tells an application that it shuts down only after the last answer has ended. Who
serves it (server.py) tells by this, and earlier.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class ShuttingDownError(Exception):
    """The process ends before the work was done; never told to a client as an error."""


class Shutdown:
    """Whether the process was asked to end.

    Attributes:
        draining: it will end shortly; whoever can should ask another one by now.
    """

    def __init__(self) -> None:
        self.draining = False
        self._begun = asyncio.Event()

    def begin(self) -> None:
        """Nothing new comes any more; on the event loop."""
        self.draining = True
        self._begun.set()

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

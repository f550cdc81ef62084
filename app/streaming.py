"""Names in one answer of any length, in memory that does not grow with it.

Some names are drawn and written, and the next ones only when the client has taken them.
Each time they pass through the engine's queue like any other request, so a stream holds
no place while its client is slow, and short requests take turns with it.
"""

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from fastapi import Request

from app.bulk import Bulk, End
from app.bulk_formats import Format
from app.catalog import ServedModel
from app.engine import Engine
from app.errors import OverloadedError, late_problem
from app.shutdown import Shutdown, ShuttingDownError
from models.errors import NamewrightError
from models.request import MAX_NAMES, Generated

logger = logging.getLogger("uvicorn.error")

FIRST = 16
"""Names drawn before the first is sent; then twice as many each time while that is quick."""
_FEWEST = 128
"""Fewer leave rows of the model idle: up to here it need not be quick, only not slow."""
_QUICK_S, _SLOW_S = 1.0, 3.0
_PAUSE_S = 0.05
"""Before a full queue is asked again, and up to three times as long."""


@dataclass(frozen=True)
class NameStream:
    """A stream that can begin.

    Attributes:
        http: whose answer it is.
        engine: draws.
        shutdown: ends it early.
        served: by which model.
        bulk: what is drawn, and how far it has got.
        format: how it is written.
        about: the request as applied, which is told with the end.
    """

    http: Request
    engine: Engine
    shutdown: Shutdown
    served: ServedModel
    bulk: Bulk
    format: Format
    about: dict[str, Any]

    async def body(self, first: Generated) -> AsyncIterator[bytes]:
        """All of it, from `first` on: the names that were drawn to see whether it can begin."""
        yield self.format.begin(self.about)
        yield self._write(first)
        size = FIRST
        failure: dict[str, Any] = {}
        while (end := self.bulk.end) is None:
            started = time.monotonic()
            try:
                generated = await self._draw(size)
            except ShuttingDownError:
                end = End.STOPPING
                break
            except Exception as error:  # too late for the handlers of the application
                end, failure = End.ERROR, await self._failure(error)
                break
            size = _next_size(size, time.monotonic() - started)
            yield self._write(generated)
        yield self.format.end(self.bulk.summary(end) | failure | self.about)

    async def _draw(self, size: int) -> Generated:
        """At most `size` names more, once there is a place in the queue."""
        request = self.bulk.request(size)
        while True:
            try:
                return await self.shutdown.unless_begun(self.engine.generate(self.served, request))
            except OverloadedError:
                pause = _PAUSE_S * random.uniform(1, 3)
                await self.shutdown.unless_begun(asyncio.sleep(pause))

    def _write(self, generated: Generated) -> bytes:
        sent = self.bulk.sent
        return self.format.names(self.bulk.take(generated), sent)

    async def _failure(self, error: Exception) -> dict[str, Any]:
        if not isinstance(error, NamewrightError):
            logger.exception("request %s failed in mid-stream", self.http.scope["request_id"])
        return {"error": await late_problem(self.http, error)}


def _next_size(size: int, drawn_in_s: float) -> int:
    """How many names next: fewer of a slow model, so that the client need not wait for long."""
    if drawn_in_s > _SLOW_S:
        return max(size // 2, FIRST)
    if drawn_in_s < _QUICK_S or size < _FEWEST:
        return min(2 * size, MAX_NAMES)
    return size

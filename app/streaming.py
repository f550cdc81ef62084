"""Names in one answer of any length, in memory that does not grow with it.

Some names are drawn and written, and the next ones only when the client has taken them.
Each time they pass through the engine's queue like any other request, so a stream holds
no place while its client is slow. Few streams do so at a time (stream_places.py).
"""

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator
from contextlib import suppress
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
        piece = self._write(first)
        del first  # while a client does not read, its names' bytes are kept, and nothing else
        yield piece
        size = FIRST
        failure: dict[str, Any] = {}
        while (end := self.bulk.end) is None:
            try:
                piece, took_s = await self._piece(size)
            except ShuttingDownError:
                end = End.STOPPING
                break
            except Exception as error:  # too late for the handlers of the application
                end, failure = End.ERROR, await self._failure(error)
                break
            size = _next_size(size, took_s)
            yield piece
        yield self.format.end(self.bulk.summary(end) | failure | self.about)

    async def _piece(self, size: int) -> tuple[bytes, float]:
        """At most `size` names more, as they are written; and the seconds that drawing took."""
        generated, took_s = await self.shutdown.unless_begun(self._draw(size))
        return self._write(generated), took_s

    async def _draw(self, size: int) -> tuple[Generated, float]:
        """At most `size` names more, once it is this stream's turn; and the seconds they took."""
        request = self.bulk.request(size)
        while True:
            with suppress(OverloadedError):
                async with self.engine.stream_places.of(self.served):
                    started = time.monotonic()
                    generated = await self.engine.generate(self.served, request, patient=True)
                    return generated, time.monotonic() - started
            await asyncio.sleep(_PAUSE_S * random.uniform(1, 3))

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

"""Tells the metrics of every request, as pure ASGI."""

import time
from collections.abc import Awaitable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import CAUSE
from app.metrics import Metrics

_METHODS = frozenset({"GET", "HEAD", "POST", "OPTIONS"})
_GONE = 499
"""nginx's: the client left before there was an answer."""


class ObservingMiddleware:
    """Counts and times requests, by the template of their route.

    Args:
        app: what answers them; it must leave its `route` in the very scope that it is given.
        metrics: that are told.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection; anything but HTTP passes through."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        status = _GONE

        def send_observed(message: Message) -> Awaitable[None]:  # no coroutine more for each
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            return send(message)

        begun = time.perf_counter()
        self._metrics.begin()
        try:
            await self.app(scope, receive, send_observed)
        finally:
            method = scope["method"] if scope["method"] in _METHODS else "other"
            route = getattr(scope.get("route"), "path", "other")
            seconds = time.perf_counter() - begun
            self._metrics.end(method, route, status, scope.get(CAUSE), seconds)

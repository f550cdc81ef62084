"""What stands around the whole application, its last resort for bugs included.

The framework puts middleware inside of what answers 500, which would then have no request
id, and would be withheld from scripts of other origins.
"""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.access import AccessMiddleware
from app.compression import GzipMiddleware
from app.key_ring import KeyRing
from app.metrics import Metrics
from app.middleware import BriefStartMiddleware, RequestIdMiddleware, Utf8Middleware
from app.observing import ObservingMiddleware
from app.openapi import DescribedApp
from app.rate_limits import RateLimiter, RateLimitMiddleware
from app.settings import Settings

Wrapper = Callable[[ASGIApp], ASGIApp]

_EXPOSED = (
    "ETag",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "X-Namewright-Fingerprint",
    "X-Namewright-Model",
    "X-Namewright-Next-Offset",
    "X-Namewright-Safe-List",
    "X-Namewright-Seed",
    "X-Request-ID",
)


class EdgedApp(DescribedApp):
    """An application with wrappers around it.

    Args:
        wrappers: the last one is outermost.
        options: the framework's.
    """

    def __init__(self, wrappers: Sequence[Wrapper], **options: Any) -> None:
        super().__init__(**options)
        self._wrappers = wrappers

    def build_middleware_stack(self) -> ASGIApp:
        """The framework's, wrapped."""
        stack = super().build_middleware_stack()
        for wrap in self._wrappers:
            stack = wrap(stack)
        return stack


class HeadMiddleware:
    """Answers HEAD as GET without the body, on every route that takes GET."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Handle one connection; anything but HEAD passes through."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            return self.app(scope, receive, send)

        async def send_head(message: Message) -> None:
            # An answer that is complete is over for the server: it tells an endless stream so.
            if message["type"] == "http.response.start":
                await send(message)
                await send({"type": "http.response.body"})

        return self.app({**scope, "method": "GET"}, receive, send_head)


class CorsMiddleware(CORSMiddleware):
    """Starlette's, but that a preflight it refuses is answered like any other OPTIONS.

    Without the headers a browser refuses as well, and every error has the one shape.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] == "http" and scope["method"] == "OPTIONS":
            headers = Headers(scope=scope)
            asked = "origin" in headers and "access-control-request-method" in headers
            if not asked or self.preflight_response(headers).status_code != 200:
                return await self.app(scope, receive, send)
        await super().__call__(scope, receive, send)


def wrappers(
    settings: Settings, metrics: Metrics, keys: KeyRing | None, limiter: RateLimiter | None
) -> list[Wrapper]:
    """Those that the settings need.

    Args:
        settings: the service's.
        metrics: that are told of every request.
        keys: that open it; None: anyone may come in.
        limiter: of callers; None: they may ask as often as they like.
    """
    origins = [origin.strip() for origin in settings.cors_origins.split(",") if origin.strip()]
    cors = partial(
        CorsMiddleware,
        allow_origins=origins,
        allow_methods=("GET", "HEAD", "POST"),
        allow_headers=("*",),
        expose_headers=_EXPOSED,
    )
    return [
        Utf8Middleware,
        GzipMiddleware,
        *([partial(RateLimitMiddleware, limiter=limiter)] if limiter else []),
        *([partial(AccessMiddleware, keys=keys)] if keys else []),
        *([cors] if origins else []),  # around it: a preflight has no key, and errors are read
        RequestIdMiddleware,
        partial(ObservingMiddleware, metrics=metrics),  # inside HEAD's, which copies the scope
        HeadMiddleware,
        BriefStartMiddleware,
    ]

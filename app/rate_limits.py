"""How often one caller may ask: by key where there are keys, else by address.

Counting is the library `limits`': a sliding window for each limit, in the memory of the process,
or in a Redis that several processes share. What every operation costs differs; a request counts
as one, whatever it asks for, and the queue and the deadline bound the rest.

A Redis that does not answer stops no one: names are worth more than quotas. The log says so.

Sources: RFC 6585, section 4; draft-ietf-httpapi-ratelimit-headers-09 for RateLimit-Policy and
RateLimit. Deviation: an IPv6 address counts as its /64, which is what one household has.
"""

import ipaddress
import logging
import math
import time
from collections.abc import Sequence
from typing import cast

from limits import RateLimitItem, parse_many
from limits.aio.storage import Storage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from limits.errors import ConfigurationError, StorageError
from limits.storage import storage_from_string
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.access import CALLER, is_open
from app.errors import CAUSE, problem
from app.settings import Settings
from app.startup import StartupError

_TOLD_EVERY_S = 60
"""At most, that a Redis does not answer."""

logger = logging.getLogger("uvicorn.error")


class RateLimiter:
    """Counts the requests of each caller.

    Args:
        limits: all of which must be kept, the narrowest first.
        storage: `memory://`, or the address of a Redis. Until `load` it is not used.
    """

    def __init__(self, limits: Sequence[RateLimitItem], storage: str) -> None:
        self._limits = tuple(limits)
        self._storage = storage
        self._limiter: SlidingWindowCounterRateLimiter | None = None
        self._told_s = -math.inf

    def load(self) -> None:
        """Make the client of the storage.

        Raises:
            StartupError: it is not installed, or the address is none.
        """
        options = {} if self._storage.startswith("memory") else {"implementation": "redispy"}
        try:
            kept = storage_from_string(f"async+{self._storage}", wrap_exceptions=True, **options)
        except (ConfigurationError, ValueError) as error:
            raise StartupError(f"NAMEWRIGHT_RATE_LIMIT_STORAGE: {error}") from error
        self._limiter = SlidingWindowCounterRateLimiter(cast(Storage, kept))

    @property
    def policy(self) -> str:
        """RateLimit-Policy: of each limit its quota, and its window in seconds."""
        return ", ".join(
            f'"{_name(each)}";q={each.amount};w={each.get_expiry()}' for each in self._limits
        )

    async def hit(self, caller: str) -> tuple[str, int]:
        """Count a request.

        Returns:
            RateLimit, empty where that is not known; and the seconds after which the request
            would pass, 0 if it does.
        """
        told, wait_s = list[str](), 0
        if self._limiter is None:
            return "", 0
        try:
            for each in self._limits:
                kept = await self._limiter.hit(each, caller)
                window = await self._limiter.get_window_stats(each, caller)
                reset_s = max(1, math.ceil(window.reset_time - time.time()))
                told.append(f'"{_name(each)}";r={window.remaining};t={reset_s}')
                if not kept:  # what is refused for one limit does not count for the next
                    wait_s = reset_s
                    break
        except StorageError as error:
            self._tell(error)
            return "", 0
        return ", ".join(told), wait_s

    def _tell(self, error: StorageError) -> None:
        now = time.monotonic()
        if now - self._told_s > _TOLD_EVERY_S:
            self._told_s = now
            logger.error("no rate limits: their storage fails: %s", error.storage_error)


class RateLimitMiddleware:
    """Answers 429 to who asks too often; all that is open to everyone is free of limits.

    Args:
        app: inside of what finds out who asks.
        limiter: counts.
    """

    def __init__(self, app: ASGIApp, limiter: RateLimiter) -> None:
        self.app = app
        self._limiter = limiter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection; anything but HTTP passes through."""
        if scope["type"] != "http" or is_open(scope["path"]):
            return await self.app(scope, receive, send)
        told, wait_s = await self._limiter.hit(_caller(scope))
        fields = {"RateLimit-Policy": self._limiter.policy} | ({"RateLimit": told} if told else {})
        if wait_s:
            scope[CAUSE] = "rate_limit"
            detail = "too many requests; Retry-After has the seconds to wait"
            headers = fields | {"Retry-After": str(wait_s), "Cache-Control": "no-store"}
            response = problem(Request(scope), 429, detail, headers=headers)
            return await response(scope, receive, send)

        async def send_with_limits(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in fields.items():
                    headers[name] = value
            await send(message)

        await self.app(scope, receive, send_with_limits)


def limiter_of(settings: Settings) -> RateLimiter | None:
    """The one that the settings ask for, if they do."""
    if not settings.rate_limit:
        return None
    if settings.workers > 1 and settings.rate_limit_storage.startswith("memory"):
        logger.warning(
            "NAMEWRIGHT_RATE_LIMIT holds for each of the %d workers alone: they share no memory; "
            "give them a Redis, NAMEWRIGHT_RATE_LIMIT_STORAGE",
            settings.workers,
        )
    return RateLimiter(sorted(parse_many(settings.rate_limit)), settings.rate_limit_storage)


def _caller(scope: Scope) -> str:
    """Who asks: the hash of a key, or an address."""
    if caller := scope.get(CALLER):
        return f"key:{caller}"
    host = scope["client"][0] if scope.get("client") else ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:  # a Unix socket
        return "address:"
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return f"address:{address.ipv4_mapped}"
        return f"address:{ipaddress.ip_network((address, 64), strict=False)}"
    return f"address:{address}"


def _name(limit: RateLimitItem) -> str:
    """As `per-60-s`."""
    return f"per-{limit.get_expiry()}-s"

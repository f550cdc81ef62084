"""What happens around every request, as pure ASGI.

What has nothing to do after the application is no coroutine of its own, but hands on that of the
application: a tenth of the time of a request that asks for little would be spent in them.
"""

import os
import re
import secrets
import sys
from collections.abc import Awaitable, Iterable
from urllib.parse import unquote_to_bytes

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import problem
from app.logs import CURRENT_REQUEST, CurrentRequest
from app.tracing import mark_span
from models.errors import NamewrightError

_REQUEST_ID = b"x-request-id"
_ACCEPTABLE = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_PLAIN = re.compile(rb"[!-$&-~]*")
"""Visible ASCII without a percent sign: what nearly every path and query consists of."""
_ID_BYTES = 8
_DRAWN_AT_ONCE = 256

_drawn: list[str] = []
os.register_at_fork(after_in_child=_drawn.clear)  # or two processes would give the same


def request_id_of(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """The id of a request with these headers, names in lower case.

    The caller's own X-Request-ID is kept where it is 1 to 64 letters, digits,
    dots, dashes or underscores; anything else could forge lines in a log.
    """
    for name, value in headers:
        if name == _REQUEST_ID:
            return value.decode() if _ACCEPTABLE.fullmatch(value) else _draw_id()
    return _draw_id()


def _draw_id() -> str:
    """One that no one has; the system is asked for many at once, which takes as long as one."""
    if not _drawn:
        digits = secrets.token_hex(_ID_BYTES * _DRAWN_AT_ONCE)
        size = 2 * _ID_BYTES
        _drawn.extend(digits[start : start + size] for start in range(0, len(digits), size))
    return _drawn.pop()


class RequestIdMiddleware:
    """Puts `request_id` into the scope and the logs, and X-Request-ID onto the answer."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Handle one connection; anything but HTTP passes through."""
        if scope["type"] != "http":
            return self.app(scope, receive, send)
        request_id = scope["request_id"] = request_id_of(scope["headers"])
        CURRENT_REQUEST.set(CurrentRequest(request_id, mark_span(request_id)))

        def send_with_id(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                headers = message.setdefault("headers", [])
                if _REQUEST_ID not in dict(headers):
                    headers.append((_REQUEST_ID, request_id.encode()))
            return send(message)

        return self.app(scope, receive, send_with_id)


class Utf8Middleware:
    """Answers 400 where the path or the query is not UTF-8, or the path holds control characters.

    The framework would replace such bytes, and its routes match a path that ends in
    a line feed as if it did not.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Handle one connection; anything but HTTP passes through."""
        if scope["type"] == "http" and (fault := _fault(scope)):
            return problem(Request(scope), 400, fault)(scope, receive, send)
        return self.app(scope, receive, send)


def _fault(scope: Scope) -> str:
    """What is wrong with a path or query, in words; nothing if it is in order."""
    raw_path, query_string = scope["raw_path"], scope["query_string"]
    if _PLAIN.fullmatch(raw_path) and _PLAIN.fullmatch(query_string):
        return ""
    try:
        path = unquote_to_bytes(raw_path).decode()
    except UnicodeDecodeError:
        return "the path is not UTF-8"
    try:
        unquote_to_bytes(query_string).decode()
    except UnicodeDecodeError:
        return "the query is not UTF-8"
    control = any(ord(character) < 32 or ord(character) == 127 for character in path)
    return "the path holds control characters" if control else ""


class BriefStartMiddleware:
    """Says in one line why the service cannot start, where the cause is one of our errors.

    The framework would send its traceback through six libraries instead.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Handle the lifespan; anything else passes through."""
        if scope["type"] != "lifespan":
            return self.app(scope, receive, send)

        async def send_briefly(message: Message) -> None:
            error = sys.exc_info()[1]  # the framework sends this while it handles the error
            if message["type"] == "lifespan.startup.failed" and isinstance(error, NamewrightError):
                message = {"type": message["type"], "message": f"cannot start: {error}"}
            await send(message)

        return self.app(scope, receive, send_briefly)

"""Requests that are refused before the application sees them, and what they are answered."""

import random
from collections import Counter
from collections.abc import Iterable
from functools import cache

import httptools
from starlette.requests import Request
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from app import openai_errors
from app.errors import RETRY_AFTER_S, problem
from app.middleware import request_id_of

Fields = Iterable[tuple[bytes, bytes]]

REFUSED: Counter[str] = Counter()
"""How many requests this process has refused so, by cause; for its metrics."""
OVERLOADED = "overloaded"
"""The cause where too many wait, as the engine calls it."""
CLOSE = (b"connection", b"close")
"""The field that asks a client to go."""

_ID = "0" * 16


class RefusedError(Exception):
    """A request that is not read to its end.

    Args:
        status: of the answer.
        detail: what is wrong, and what is allowed.
    """

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


def cause_of(error: httptools.HttpParserError) -> RefusedError:
    """What the parser found, or what our callbacks did."""
    if isinstance(error.__context__, RefusedError):
        return error.__context__
    if isinstance(error, httptools.HttpParserCallbackError):
        return RefusedError(400, "the request's target is no URL")
    return RefusedError(400, f"this is not HTTP: {error}")


def answer_to(
    refused: RefusedError, headers: Fields, url: bytes, *, default_headers: Fields, has_body: bool
) -> bytes:
    """The answer, after which the connection is closed.

    Args:
        refused: why.
        headers: what has come of the request's, names in lower case.
        url: what has come of that.
        default_headers: of every answer.
        has_body: HEAD has none.
    """
    request_id = request_id_of(headers)
    scope = {"type": "http", "path": url.decode("latin-1"), "request_id": request_id}
    response = problem(
        Request(scope),
        refused.status,
        refused.detail,
        headers={"X-Request-ID": request_id, "Connection": "close"},
    )
    fields = [*default_headers, *response.raw_headers]
    lines = [name + b": " + value + b"\r\n" for name, value in fields]
    body = bytes(response.body) if has_body else b""
    return b"".join((STATUS_LINE[refused.status], *lines, b"\r\n", body))


def overload_answer(
    request_id: str, url: bytes, *, default_headers: Fields, has_body: bool
) -> bytes:
    """The answer to one who comes when too many wait, after which the connection may stay open.

    It is put together from parts that are ready: there are thousands a second when it matters.

    Args:
        request_id: of the request.
        others: as of `answer_to`.
    """
    own_id = request_id.encode()
    head, before, after = _overload_parts(url.startswith(openai_errors.PREFIX.encode()))
    length = len(before) + len(own_id) + len(after)
    own = b"".join(name + b": " + value + b"\r\n" for name, value in default_headers)
    retry_after_s = random.randint(*RETRY_AFTER_S)
    numbers = b"retry-after: %d\r\ncontent-length: %d\r\n" % (retry_after_s, length)
    whole = head, own, numbers, b"x-request-id: ", own_id, b"\r\n\r\n"
    return b"".join((*whole, before, own_id, after) if has_body else whole)


@cache
def _overload_parts(is_openai: bool) -> tuple[bytes, bytes, bytes]:
    """What comes before the fields that differ, and the body before and after the id."""
    path = openai_errors.PREFIX if is_openai else "/"
    scope = {"type": "http", "path": path, "request_id": _ID}
    response = problem(
        Request(scope), 503, "too many requests wait already; please try again shortly"
    )
    before, after = bytes(response.body).split(_ID.encode())
    media_type = response.headers["content-type"].encode()
    return STATUS_LINE[503] + b"content-type: " + media_type + b"\r\n", before, after

"""Requests that are refused before the application sees them, and what they are answered."""

from collections import Counter
from collections.abc import Iterable

import httptools
from starlette.requests import Request
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from app.errors import problem
from app.middleware import request_id_of

Fields = Iterable[tuple[bytes, bytes]]

REFUSED: Counter[int] = Counter()
"""How many requests this process has refused so, by status; for its metrics."""


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

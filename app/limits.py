"""What a connection may send, and how long it may take."""

from dataclasses import dataclass
from math import floor

from app.refusals import RefusedError

MAX_URL_BYTES = 8 << 10
MAX_HEADER_BYTES = 16 << 10
"""Of all header fields, as they are sent: names, values and line ends."""
MAX_HEADERS = 64
FRAMING_PER_BYTE = 8
"""Bytes that a chunked body may spend on chunk sizes, extensions and trailers for each of its own,
beside MAX_HEADER_BYTES: chunks of one byte need five."""
LINGER_S = 2.0
"""For which what a refused client still sends is read and dropped: closed on unread bytes, a
connection is reset, and the client may never see why."""

_AROUND_FIELDS = len(b"  HTTP/1.1\r\n" + b"\r\n")
"""Bytes of a head beside its method, its URL and its fields."""
_PERIOD_S = 1.0
_SWEEPS_PER_TIMEOUT = 8


@dataclass(frozen=True)
class Limits:
    """Those that are settings.

    Attributes:
        max_body_bytes: of a request.
        receive_timeout_s: seconds from a request's first byte to its last.
        send_timeout_s: seconds in which a client takes nothing of what is written to it.
    """

    max_body_bytes: int
    receive_timeout_s: float
    send_timeout_s: float

    @property
    def period_s(self) -> float:
        """Seconds between two looks at the connections, by which the timeouts are inexact."""
        shortest = min(self.receive_timeout_s, self.send_timeout_s)
        return min(_PERIOD_S, shortest / _SWEEPS_PER_TIMEOUT)

    def sweeps(self, timeout_s: float) -> int:
        """How many looks are within a time."""
        return floor(timeout_s / self.period_s)


def check_head(url: bytes, fields: int, size: int) -> None:
    """Of what has come of a head.

    Args:
        url: so far.
        fields: how many header fields are complete.
        size: bytes without the method; 0 if they are too few to matter.

    Raises:
        RefusedError: it is over a limit.
    """
    if fields > MAX_HEADERS:
        raise RefusedError(431, f"there are too many header fields; allowed: {MAX_HEADERS}")
    if size and len(url) > MAX_URL_BYTES:
        raise RefusedError(414, f"the URL is too long; allowed: {MAX_URL_BYTES} bytes")
    if size - len(url) - _AROUND_FIELDS > MAX_HEADER_BYTES:
        raise RefusedError(
            431, f"the header fields are too long; allowed: {MAX_HEADER_BYTES} bytes together"
        )


def check_framing(size: int, body_bytes: int, trailers: int) -> None:
    """Of what comes with a body in chunks.

    Args:
        size: bytes that are not of the body.
        body_bytes: those that are.
        trailers: how many are complete.

    Raises:
        RefusedError: it is over a limit.
    """
    if size > MAX_HEADER_BYTES + FRAMING_PER_BYTE * body_bytes or trailers > MAX_HEADERS:
        raise RefusedError(431, "the chunks have too much beside the body")

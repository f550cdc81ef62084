"""HTTP/1.1 answers, read from bytes at the least cost."""

import re
from typing import NamedTuple

_HEAD_END = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)\r\n", re.IGNORECASE)
_RETRY_AFTER = re.compile(rb"\r\nretry-after: [1-3]\r\n", re.IGNORECASE)
_PROBLEM = re.compile(rb"\r\ncontent-type: application/problem\+json\r\n", re.IGNORECASE)
_CLOSE = re.compile(rb"\r\nconnection: close\r\n", re.IGNORECASE)
_STATUS = slice(len(b"HTTP/1.1 "), len(b"HTTP/1.1 200"))


class GarbledError(Exception):
    """What came is no answer of a known length."""


class Answer(NamedTuple):
    """One answer, complete.

    Attributes:
        status: 200 and so on.
        head: up to the blank line, of which it has the first line end.
        body: as long as the head says.
    """

    status: int
    head: bytes
    body: bytes

    @property
    def is_last(self) -> bool:
        """Whether the connection is closed after it."""
        return _CLOSE.search(self.head) is not None

    @property
    def is_polite_refusal(self) -> bool:
        """Whether it says when to come back, in the one shape of errors."""
        return bool(_RETRY_AFTER.search(self.head) and _PROBLEM.search(self.head))


def read(data: bytes, start: int = 0) -> tuple[Answer, int] | None:
    """The answer that begins at `start`, and where it ends; None: not all of it is there.

    Raises:
        GarbledError: there is none.
    """
    head_end = data.find(_HEAD_END, start)
    if head_end < 0:
        return None
    if not data.startswith(b"HTTP/1.1 ", start):
        raise GarbledError(data[start : start + 200])
    head = data[start : head_end + 2]
    length = _LENGTH.search(head)
    if not length:
        raise GarbledError(head)
    body = head_end + len(_HEAD_END)
    end = body + int(length[1])
    if len(data) < end:
        return None
    return Answer(int(head[_STATUS]), head, data[body:end]), end

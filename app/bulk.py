"""More names than one request may ask for, as requests one after the other.

Rejected draws are passed over, so where a request begins is known only when the one
before it is answered. Which names come does not depend on how many are asked for at a
time: that may follow the clock.
"""

from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from typing import Any

from models.request import (
    MAX_NAMES,
    MAX_OFFSET,
    Generated,
    GeneratedName,
    GenerationRequest,
)

MAX_BARREN = 100_000
"""Draws in a row that give no name before there is no use in going on: seconds."""


class End(StrEnum):
    """Why no more names come."""

    COMPLETE = "complete"
    EXHAUSTED = "exhausted"
    STOPPING = "stopping"
    ERROR = "error"


class Bulk:
    """How far a long request has got.

    Args:
        request: what to draw; its `n` is of no meaning.
        n: names wanted in all, >= 1; None is without end.
        sent: how many of them came before the request's offset.

    Attributes:
        n: as given.
        next_offset: the index after the last one that is settled.
        sent: names so far.
    """

    def __init__(self, request: GenerationRequest, n: int | None, sent: int = 0) -> None:
        self._request = request
        self.n = n
        self._fertile = request.offset  # the index after the last name
        self.next_offset = request.offset
        self.sent = sent

    @property
    def end(self) -> End | None:
        """COMPLETE or EXHAUSTED; None while there are names to be drawn.

        EXHAUSTED is a stream of which MAX_BARREN indexes in a row, from its offset or
        its last name on, gave no name, or that has come to the last index there is.
        """
        if self.n is not None and self.sent >= self.n:
            return End.COMPLETE
        barren = self.next_offset - self._fertile
        if barren >= MAX_BARREN or self.next_offset > MAX_OFFSET:
            return End.EXHAUSTED
        return None

    def request(self, size: int = MAX_NAMES) -> GenerationRequest:
        """What to draw next: at most `size` names, 1 to MAX_JOB_NAMES."""
        missing = size if self.n is None else min(size, self.n - self.sent)
        return replace(self._request, n=missing, offset=self.next_offset)

    def take(self, generated: Generated) -> Sequence[GeneratedName]:
        """Settle the answer to `request`; its names, but for those after the end."""
        names = generated.names
        for count, drawn in enumerate(names):
            if drawn.index - self._fertile >= MAX_BARREN:
                names = names[:count]
                break
            self._fertile = drawn.index + 1
        self.sent += len(names)
        self.next_offset = min(generated.next_offset, self._fertile + MAX_BARREN)
        return names

    def summary(self, end: End) -> dict[str, Any]:
        """What its last words say, beside the request: why it ends, and where it goes on."""
        return {"end": end, "count": self.sent, "next_offset": self.next_offset}

"""One connection of a client, on which one request is under way at a time."""

import asyncio
import time
from dataclasses import dataclass
from typing import Protocol, cast

from tests.faults.answers import Answer, GarbledError, read
from tests.faults.ledger import Loss
from tests.faults.questions import Question


@dataclass(slots=True)
class Request:
    """A question under way.

    Attributes:
        question: which.
        due: when it was to be sent.
        sent: when it was, the last time.
        losses: of it so far.
    """

    question: Question
    due: float
    sent: float = 0.0
    losses: int = 0


class Owner(Protocol):
    """Who has connections, and is told of them."""

    def opened(self, connection: "Connection") -> None:
        """It can be used."""

    def answered(self, connection: "Connection", request: Request, answer: Answer) -> None:
        """Its request has its answer; it can be used again if `connection.usable`."""

    def ended(self, connection: "Connection", request: Request | None, loss: Loss) -> None:
        """It is closed, and with it the request that was under way, if one was."""


class Connection(asyncio.Protocol):
    """As asyncio has it; made by create_connection.

    Args:
        owner: is told what happens.

    Attributes:
        request: under way; None: it is idle.
        port: its own; of the client.
    """

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._transport: asyncio.Transport
        self._received = b""
        self._loss: Loss | None = None  # that this side has found
        self.request: Request | None = None
        self.port = 0

    @property
    def usable(self) -> bool:
        """Whether a request can be sent."""
        return not self._transport.is_closing()

    def send(self, request: Request) -> None:
        """Send a request."""
        request.sent = time.perf_counter()
        self.request = request
        self._transport.write(request.question.sent)

    def close(self) -> None:
        """Close it."""
        self._transport.close()

    def give_up(self, loss: Loss) -> None:
        """Let its request go, and reset it."""
        self._loss = loss
        self._transport.abort()

    # What the transport calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self.port = transport.get_extra_info("sockname")[1]
        self._owner.opened(self)

    def data_received(self, data: bytes) -> None:
        self._received = received = self._received + data if self._received else data
        request = self.request
        try:
            found = read(received) if request else None
        except GarbledError:
            return self.give_up(Loss.GARBLED)
        if found is None:
            if request is None:
                self.give_up(Loss.GARBLED)
            return None
        answer, end = found
        if end != len(received):
            return self.give_up(Loss.GARBLED)
        self._received, self.request = b"", None
        if answer.is_last:
            self._transport.close()
        assert request is not None
        return self._owner.answered(self, request, answer)

    def connection_lost(self, error: Exception | None) -> None:
        loss = self._loss
        if loss is None:
            if self._received:
                loss = Loss.RESET_WITHIN if error else Loss.CLOSED_WITHIN
            else:
                loss = Loss.RESET_BEFORE if error else Loss.CLOSED_BEFORE
        request, self.request = self.request, None
        self._owner.ended(self, request, loss)

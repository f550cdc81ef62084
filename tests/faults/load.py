"""Requests without end, from one thread at a cost that leaves the cores to the service.

A closed loop sends on each connection as soon as it has been answered. An open loop sends at a
rate, whatever the service does; where no connection is free a request waits, and its
time runs from when it was to be sent, so that a service which stalls cannot hide it.

    async with Load(port, Ledger(questions), connections=64, rate=500) as load:
        ...  # anything may be done to the service meanwhile
    load.ledger.assert_all_answered()
"""

import asyncio
import time
from collections import deque
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self

from tests.faults.answers import Answer
from tests.faults.connection import Connection, Request
from tests.faults.ledger import Ledger, Loss

_TICK_S = 0.001
_REOPEN_S = 0.02
"""Between two attempts at a connection that is refused."""


class Load:
    """Clients of a service, for as long as its context lasts.

    A connection that is closed, or cannot be made, is made again. On leaving, what is
    under way is awaited and nothing new is sent.

    Args:
        port: of 127.0.0.1.
        ledger: what is asked; it is told all that happens.
        connections: at once.
        rate: requests a second, all connections together; None: a closed loop.
        retry: whether a request whose connection ended before the first byte of its answer is
            sent again, on another, up to three times.
        patience_s: for an answer.
    """

    def __init__(
        self,
        port: int,
        ledger: Ledger,
        *,
        connections: int = 64,
        rate: float | None = None,
        retry: bool = False,
        patience_s: float = 60,
    ) -> None:
        self.ledger = ledger
        self._port, self._size, self._rate = port, connections, rate
        self._tries = 4 if retry else 1
        self._patience_s = patience_s
        self._running = False
        self._connections: set[Connection] = set()
        self._idle: deque[Connection] = deque()
        self._waiting: deque[Request] = deque()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def under_way(self) -> int:
        """Requests that are sent and not answered."""
        return sum(connection.request is not None for connection in self._connections)

    async def __aenter__(self) -> Self:
        """All connections have been made, or refused once."""
        self._running = True
        await asyncio.gather(*(self._open() for _ in range(self._size)))
        self._start(self._lose_patience())
        if self._rate is not None:
            self._start(self._arrive(self._rate))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._running = False
        fresh = [request for request in self._waiting if not request.losses]
        self.ledger.unsent += len(fresh)
        self._waiting = deque(request for request in self._waiting if request.losses)
        until = time.perf_counter() + self._patience_s
        while not error and (self.under_way or self._waiting) and time.perf_counter() < until + 2:
            await asyncio.sleep(0.01)
        self.ledger.unsent += len(self._waiting)
        self._waiting.clear()
        for connection in self._connections:
            connection.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        while self._connections:
            await asyncio.sleep(0)

    # What connections call

    def opened(self, connection: Connection) -> None:
        """It may be the one that a request waits for."""
        self._connections.add(connection)
        self._use(connection)

    def answered(self, connection: Connection, request: Request, answer: Answer) -> None:
        """Enter it, and go on."""
        now = time.perf_counter()
        self.ledger.enter(request.question, answer, request.due, request.sent, now)
        if connection.usable:
            self._use(connection)

    def ended(self, connection: Connection, request: Request | None, loss: Loss) -> None:
        """Make another in its place."""
        self._connections.discard(connection)
        if request is None:
            self.ledger.closed += self._running
            self.ledger.unasked += loss is Loss.GARBLED
        else:
            request.losses += 1
            if loss.may_be_retried and request.losses < self._tries:
                self.ledger.retried[loss] += 1
                self._waiting.appendleft(request)
            else:
                self.ledger.lost[loss] += 1
        self._reopen()

    # Sending

    def _use(self, connection: Connection) -> None:
        if self._waiting:
            connection.send(self._waiting.popleft())
        elif self._running and self._rate is None:
            connection.send(Request(self.ledger.ask(), time.perf_counter()))
        else:
            self._idle.append(connection)

    def _free(self) -> Connection | None:
        """The one that has been idle for longest."""
        while self._idle:
            connection = self._idle.popleft()
            if connection.usable:
                return connection
        return None

    async def _arrive(self, rate: float) -> None:
        began = time.perf_counter()
        number = 0
        while self._running:
            for each in range(number, int((time.perf_counter() - began) * rate) + 1):
                request = Request(self.ledger.ask(), began + each / rate)
                if connection := self._free():
                    connection.send(request)
                else:
                    self._waiting.append(request)
                number = each + 1
            await asyncio.sleep(_TICK_S)

    async def _lose_patience(self) -> None:
        while True:
            await asyncio.sleep(min(1, self._patience_s / 4))
            since = time.perf_counter() - self._patience_s
            for connection in list(self._connections):
                if connection.request and connection.request.sent < since:
                    connection.give_up(Loss.SILENT)

    # Connecting

    async def _open(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.create_connection(lambda: Connection(self), "127.0.0.1", self._port)
        except OSError:
            self.ledger.refused += 1
            loop.call_later(_REOPEN_S, self._reopen)

    def _reopen(self) -> None:
        if self._running or self._waiting:
            self._start(self._open())

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

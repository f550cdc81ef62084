"""One of several processes that serve, as its parent tells it to."""

import asyncio
import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from app.engine import Engine
from app.errors import EngineStoppedError
from app.line import ALIVE, DRAIN, LOADED, ORPHANED, RELOAD, SERVE, SERVING, STOP, Line
from app.server import Server
from app.settings import Settings

BROKEN_S = 10
"""A worker whose engine has stopped for so long ends, and is replaced."""

_TICKS_PER_S = 10  # of uvicorn's main loop

logger = logging.getLogger("uvicorn.error")


class Worker(Server):
    """The service in a process that has a parent.

    Args:
        settings: the service's.
        line: to the parent.

    Attributes:
        status: that the process is to end with.
    """

    def __init__(self, settings: Settings, line: Line) -> None:
        super().__init__(settings, self._await_turn)
        self._line = line
        self._turn = asyncio.Event()
        self._broken_s = 0
        self._orphaned = False
        self.status = 0

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """uvicorn's, told to the parent."""
        self._line.connect(self._obey)
        await super().startup(sockets)
        self._line.say(SERVING)

    async def on_tick(self, counter: int) -> bool:
        """Now and then, whatever else: it is how the parent knows that the event loop goes on."""
        if counter % _TICKS_PER_S == 0:
            self._line.say(ALIVE)
            self._look_at_engine()
        return await super().on_tick(counter)

    async def call_last(self, sockets: list[socket.socket]) -> None:
        """As the parent does for its listener, if there is one."""
        if self._orphaned:
            await super().call_last(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Within, they stay ignored."""
        yield

    async def _await_turn(self) -> None:
        self._line.say(LOADED)
        await self._turn.wait()

    def _obey(self, order: bytes) -> None:
        match order:
            case _ if order == SERVE:
                self._turn.set()
            case _ if order == DRAIN:
                self.drain()
            case _ if order == ORPHANED and not self._turn.is_set():
                os._exit(1)  # a spare has nothing under way
            case _ if order in (STOP, ORPHANED):
                self._orphaned = order == ORPHANED
                self.end(0)
            case _ if order == RELOAD:
                self.reload()

    def _look_at_engine(self) -> None:
        engine: Engine = self.service.state.engine
        try:
            engine.check_alive()
        except EngineStoppedError as error:
            self._broken_s += 1
            if self._broken_s == BROKEN_S:
                logger.error("%s", error)
                self.status = 1
                self.end(0)
        else:
            self._broken_s = 0

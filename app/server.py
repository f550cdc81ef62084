"""One process that serves, from its start to its end.

uvicorn stops listening as soon as it is asked to end, and resets who has connected but was not
accepted yet. Here a process is unready first, and still answers: whoever asks `/readyz` sends
nothing new, and every answer asks its client to close the connection. Then newcomers are turned
away, those who have come are answered, and what is under way is finished.

    SIGTERM  that; SIGINT likewise, without being unready first
    again    the end, at once
    SIGHUP   checkpoints are loaded again
"""

import asyncio
import logging
import os
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from types import FrameType
from typing import cast

import uvicorn

from app.admission import Admission
from app.connections import ProtocolFactory
from app.limits import Limits
from app.listening import BACKLOG, turn_away
from app.logs import log_config
from app.main import create_app
from app.refusals import CLOSE
from app.settings import Settings
from app.shutdown import Shutdown
from app.signals import LAST_CALL_S, Terminal, status_of
from app.tracing import tracer_provider

logger = logging.getLogger("uvicorn.error")


class Server(uvicorn.Server):
    """The service in this process.

    Args:
        settings: the service's.
        turn: awaited before it listens, once all is loaded; None: it does so at once.
    """

    def __init__(
        self, settings: Settings, turn: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        self._ending = Shutdown()
        self._asked = False
        self._drain_s = settings.drain_s
        self._address = f"{settings.host}, port {settings.port}"
        self.service = create_app(settings, self._ending, turn, tracer_provider(os.environ))
        limits = Limits(
            max_body_bytes=settings.max_body_bytes,
            receive_timeout_s=settings.receive_timeout_s,
            send_timeout_s=settings.send_timeout_s,
        )
        protocols = ProtocolFactory(limits, Admission(settings.queue_size))
        config = uvicorn.Config(
            self.service,
            log_level=settings.log_level,
            log_config=log_config(settings.log_format),
            server_header=False,
            backlog=BACKLOG,
            timeout_keep_alive=settings.keep_alive_s,
            timeout_graceful_shutdown=settings.shutdown_timeout_s,
            http=cast(type[asyncio.Protocol], protocols),  # it only calls it
            ws="none",
            lifespan="on",
        )
        super().__init__(config)

    def drain(self) -> None:
        """Be unready from now on, and ask every client to close its connection."""
        if not self._ending.draining:
            self._ending.draining = True
            self.config.encoded_headers.append(CLOSE)
            self.server_state.default_headers = [*self.server_state.default_headers, CLOSE]
            logger.info("unready, and about to end")

    def end(self, drain_s: float) -> None:
        """Drain, and stop after some seconds; on the event loop."""
        self.drain()
        asyncio.get_running_loop().call_later(drain_s, self._stop)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """uvicorn's, which says nothing where it is given sockets."""
        await super().startup(sockets)
        logger.info("listening on %s", self._address)

    def reload(self) -> None:
        """Load the checkpoints again; on the event loop."""
        if hasattr(self.service.state, "reloader"):  # else they are still to be loaded
            self.service.state.reloader.ask()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """uvicorn's, once those who have come have had the time to say what they want."""
        await self.call_last(sockets or [])
        self._ending.begin()
        await super().shutdown(sockets)

    async def call_last(self, sockets: list[socket.socket]) -> None:
        """Turn newcomers away, and wait for those who have just come."""
        for listener in sockets:
            turn_away(listener)
        await asyncio.sleep(LAST_CALL_S)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Within, signals have the effects that this module tells of."""
        loop, terminal = asyncio.get_running_loop(), Terminal()
        # A signal may come in the midst of a request, whose id what it begins must not log.
        context = copy_context()

        def end(number: int, frame: FrameType | None) -> None:
            del frame
            if self._asked:
                logger.error("asked to end once more: at once, whatever is under way")
                os._exit(status_of(number))
            self._asked = True
            drain_s = self._drain_s if number == signal.SIGTERM else 0
            loop.call_soon_threadsafe(self.end, drain_s, context=context)

        def hang_up(number: int, frame: FrameType | None) -> None:
            if terminal.closed:
                end(number, frame)
            else:
                loop.call_soon_threadsafe(self.reload, context=context)

        handlers = {signal.SIGINT: end, signal.SIGTERM: end, signal.SIGHUP: hang_up}
        before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _stop(self) -> None:
        self.should_exit = True

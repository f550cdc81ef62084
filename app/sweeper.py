"""Deadlines of connections, without a timer for each request."""

import asyncio
import socket
import struct
import sys
from collections.abc import Collection
from contextlib import suppress
from typing import Protocol

if sys.platform != "win32":
    import fcntl
    import termios


class Watched(Protocol):
    """A connection with deadlines."""

    def sweep(self) -> None:
        """Another period has passed."""


class Sweeper:
    """Looks at all connections of a process now and then, while there are any.

    No request needs a timer of its own, nor the time. Periods are counted by the looks, so a
    process that was held up does not take its own delay for its clients'.

    Args:
        period_s: seconds between two looks.
    """

    def __init__(self, period_s: float) -> None:
        self._period_s = period_s
        self._running = False

    def start(self, connections: Collection[Watched], loop: asyncio.AbstractEventLoop) -> None:
        """Look at them until there are none; once is enough."""
        if not self._running:
            self._running = True
            loop.call_later(self._period_s, self._sweep, connections, loop)

    def _sweep(self, connections: Collection[Watched], loop: asyncio.AbstractEventLoop) -> None:
        self._running = False
        if connections:
            self.start(connections, loop)
        for connection in tuple(connections):
            connection.sweep()


def unsent_bytes(transport: asyncio.Transport) -> int:
    """What the client has not taken of what was written, if any of it is kept here; else 0.

    The system asks for more only when a third of its own buffer, megabytes, is free: without
    counting that too, one who reads steadily but slowly would seem to read nothing.
    """
    kept = transport.get_write_buffer_size()
    if kept and sys.platform != "win32":
        with suppress(OSError):  # not every system tells
            connection = transport.get_extra_info("socket")
            (queued,) = struct.unpack("i", fcntl.ioctl(connection, termios.TIOCOUTQ, bytes(4)))
            kept += int(queued)
    return kept


def reset(transport: asyncio.Transport) -> None:
    """Close, and let the system forget as well what the client has not taken."""
    connection = transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()

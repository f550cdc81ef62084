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

_INFO = struct.Struct("120xQ")
"""How many bytes were acknowledged, in what Linux tells of a connection (tcp_info)."""


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


def taken_of_unsent(transport: asyncio.Transport) -> int | None:
    """A number that stays while the client takes nothing; None: it has taken all that there is.

    What counts is what has reached it. That the system took something of what is written here
    says little: its own buffer may have room, or have made room by a third only, of megabytes.
    """
    kept = transport.get_write_buffer_size()
    if sys.platform != "win32":
        connection = transport.get_extra_info("socket")
        with suppress(OSError):  # it is being closed, or the system does not tell
            (queued,) = struct.unpack("i", fcntl.ioctl(connection, termios.TIOCOUTQ, bytes(4)))
            kept += int(queued)
            if kept and sys.platform == "linux":
                info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO.size)
                if len(info) == _INFO.size:  # else of a kernel that does not count them
                    return int(_INFO.unpack(info)[0])
    return -kept or None


def reset(transport: asyncio.Transport) -> None:
    """Close, and let the system forget as well what the client has not taken."""
    connection = transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()

"""The socket on which clients arrive."""

import ctypes
import socket
import struct
import sys
from contextlib import suppress

from app.startup import StartupError

BACKLOG = 2048
"""Connections that the system holds until they are accepted."""

UNSENT_BYTES = 16 << 10
"""That the system keeps of an answer, beyond what is on its way, and that we keep beyond that:
megabytes else, for each client that does not read. It does not slow down those who do."""

_SO_ATTACH_FILTER = 26  # of Linux
# A program of the classic packet filter, which sees a segment from its TCP header on: with SYN
# and without ACK, as only the first one of a connection has it, none of it passes; else all.
_NO_NEWCOMERS = (
    (0x30, 0, 0, 13),  # load the byte of flags
    (0x54, 0, 0, 0x12),  # keep SYN and ACK
    (0x15, 0, 1, 0x02),  # SYN alone?
    (0x06, 0, 0, 0),
    (0x06, 0, 0, 0xFFFFFFFF),
)


def bind(host: str, port: int) -> socket.socket:
    """A socket that is bound, and does not listen yet: who connects is refused.

    Raises:
        StartupError: the address is taken, or none of this machine.
    """
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if sys.platform == "linux":  # where the connections inherit it
            bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise StartupError(
            f"cannot listen on {host}, port {port}: {(error.strerror or str(error)).lower()}"
        ) from error
    return bound


def turn_away(listener: socket.socket) -> None:
    """Let no one connect any more, but keep those who wait to be accepted.

    Closing a listener resets them, whose requests may have been sent by then. Here a newcomer's
    first segment is dropped, as if lost on the way: it is sent again a second later, and refused
    once the listener is closed. Elsewhere than on Linux this does nothing.
    """
    if sys.platform != "linux":
        return
    program = b"".join(struct.pack("HBBI", *instruction) for instruction in _NO_NEWCOMERS)
    code = ctypes.create_string_buffer(program, len(program))
    pointer = struct.pack("HL", len(_NO_NEWCOMERS), ctypes.addressof(code))
    with suppress(OSError):
        listener.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, pointer)

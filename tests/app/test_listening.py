"""The listening socket: those who have connected are not lost when it ends."""

import socket
import sys
from collections.abc import Iterator

import pytest

from app.listening import bind, turn_away
from app.startup import StartupError


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with bind("127.0.0.1", 0) as bound:
        bound.listen(16)
        yield bound


def test_an_address_that_is_taken_is_named(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    with pytest.raises(StartupError, match=rf"127\.0\.0\.1, port {port}: address already in use"):
        bind("127.0.0.1", port)


def test_an_address_of_no_machine_is_named() -> None:
    with pytest.raises(StartupError, match="no.such.host.invalid"):
        bind("no.such.host.invalid", 0)


def test_who_connects_before_it_listens_is_refused() -> None:
    with bind("127.0.0.1", 0) as bound, pytest.raises(ConnectionRefusedError):
        socket.create_connection(bound.getsockname(), timeout=5)


@pytest.mark.skipif(sys.platform != "linux", reason="there is no filter elsewhere")
def test_newcomers_are_turned_away_and_those_who_wait_are_not(listener: socket.socket) -> None:
    address = listener.getsockname()
    with socket.create_connection(address, timeout=5) as waiting:
        waiting.sendall(b"first")
        turn_away(listener)
        with pytest.raises(TimeoutError):  # as if its segment had been lost
            socket.create_connection(address, timeout=0.2)
        accepted, _ = listener.accept()
        with accepted:
            waiting.sendall(b" and more")
            waiting.shutdown(socket.SHUT_WR)
            received = b""
            while part := accepted.recv(64):
                received += part
            assert received == b"first and more"
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()

"""Streams whose clients leave, wait or are many, and their end when the service ends."""

import json
import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.service.conftest import PATIENCE_S, STOP_LIMIT_S, Serve, Service
from tests.service.test_stream import (
    BIGRAM,
    SHORT,
    stream,
)


def open_stream(service: Service, query: str = "") -> socket.socket:
    """A connection on which an endless stream has begun, of which a little was read."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(PATIENCE_S)
    connection.connect(("127.0.0.1", service.port))
    connection.sendall(f"GET /generate/stream?{query} HTTP/1.1\r\nHost: test\r\n\r\n".encode())
    assert connection.recv(12) == b"HTTP/1.1 200"
    return connection


def test_a_client_that_leaves_frees_the_engine(serve: Serve) -> None:
    # Names of 15 characters are rare: a stream of them always has some under way.
    with serve(QUEUE_SIZE=1, **BIGRAM) as service:
        for _ in range(5):
            open_stream(service, "min_length=15").close()
            # Refused while the place is taken, which must come to an end.
            assert 200 in (service.client.get(SHORT).status_code for _ in range(1000))
        assert {service.client.get(SHORT).status_code for _ in range(20)} == {200}


@pytest.mark.slow
def test_a_client_that_does_not_read_holds_no_place_and_no_memory(serve: Serve) -> None:
    with serve(QUEUE_SIZE=1, **BIGRAM) as service:
        assert service.client.get(SHORT).status_code == 200
        with open_stream(service):
            # Until it has filled the buffers between them it is served in turn.
            while {service.client.get(SHORT).status_code for _ in range(1000)} != {200}:
                pass
            before = resident_bytes(service)
            assert {service.client.get(SHORT).status_code for _ in range(200)} == {200}
            assert resident_bytes(service) - before < 4 << 20


def resident_bytes(service: Service) -> int:
    """Memory of the server's process."""
    status = Path(f"/proc/{service.process.pid}/status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith("VmRSS")]
    return int(line.split()[1]) << 10


@pytest.mark.slow
def test_memory_does_not_grow_with_the_names(serve: Serve) -> None:
    with serve(**BIGRAM) as service:
        stream(service.client, n=5_000, seed=1)
        before = resident_bytes(service)
        url = "/generate/stream?n=100000&seed=2"
        with service.client.stream("GET", url) as response:
            count = sum(1 for _ in response.iter_lines())
        assert count == 100_001
        # Their lines alone are 4 MB, as objects of Python ten times that.
        assert resident_bytes(service) - before < 8 << 20


def test_streams_and_short_requests_are_served_side_by_side(
    client: httpx.Client, serve: Serve
) -> None:
    asked = {"model": "gru", "seed": 5, "n": 2000}
    expected = stream(client, **asked)
    with (
        serve(QUEUE_SIZE=3, MODELS="gru", DEFAULT_MODEL="gru") as service,
        ThreadPoolExecutor(2) as pool,
    ):
        several = [pool.submit(stream, service.client, **asked) for _ in range(2)]
        others = {service.client.get(SHORT).content for _ in range(100)}
        assert others == {service.client.get(SHORT).content}
        assert all(each.result() == expected for each in several)


def test_many_streams_leave_places_for_short_requests(serve: Serve) -> None:
    with serve(QUEUE_SIZE=4, **BIGRAM) as service:
        streams = [open_stream(service) for _ in range(20)]
        assert {service.client.get(SHORT).status_code for _ in range(100)} == {200}
        for connection in streams:  # and each goes on in its turn
            received = 0
            while received < 100_000:
                received += len(connection.recv(65536))
            connection.close()


def test_sigterm_ends_a_stream_with_where_to_go_on(serve: Serve) -> None:
    with serve(**BIGRAM) as service:
        with service.client.stream("GET", "/generate/stream?seed=3") as response:
            lines = response.iter_lines()
            names = [json.loads(next(lines)) for _ in range(100)]
            service.process.send_signal(signal.SIGTERM)
            names += [json.loads(line) for line in lines]
        assert service.process.wait(STOP_LIMIT_S) == 0
    end = names.pop()
    assert (end["end"], end["count"]) == ("stopping", len(names))
    with serve(**BIGRAM) as other:
        expected = stream(other.client, seed=3, n=len(names))
    assert names == expected[:-1]
    assert end["next_offset"] == expected[-1]["next_offset"]


@pytest.mark.slow
def test_sigterm_ends_the_streams_of_every_worker(serve: Serve) -> None:
    with serve(WORKERS=2, **BIGRAM) as service:
        connections = [open_stream(service) for _ in range(8)]
        service.process.send_signal(signal.SIGTERM)
        for connection in connections:
            received = b""
            while part := connection.recv(65536):
                received += part
            connection.close()
            assert b'{"end":"stopping"' in received
        assert service.process.wait(STOP_LIMIT_S) == 0

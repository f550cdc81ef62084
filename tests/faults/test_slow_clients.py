"""Clients that send or read next to nothing, all at once: each is closed, and a good one served."""

import asyncio
import select
import socket
import time
from collections.abc import Sequence

import pytest
import uvloop

from tests.faults.ledger import Ledger, percentile
from tests.faults.load import Load
from tests.faults.processes import Usage, await_no_connection, rest
from tests.faults.questions import Known
from tests.faults.report import Report
from tests.faults.saturation import probe
from tests.faults.scale import FULL, scaled, scaled_s
from tests.service.conftest import Serve

RECEIVE_S, SEND_S = (10, 60) if FULL else (1, 1)
"""The defaults, or what others have of a service that is to be soon done with them."""
LIMIT_S = 30
"""More than they may be late by."""
SWEEP_S = 1
DROP_S = RECEIVE_S / 10
A_SECOND = 20.0
"""Requests of the good client."""
HEAD = b"GET /generate?n=20 HTTP/1.1\r\nHost: test\r\n"
BODY = b"POST /score HTTP/1.1\r\nHost: test\r\nContent-Length: 1000\r\n\r\n"
STREAM = b"GET /generate/stream?model=bigram HTTP/1.1\r\nHost: test\r\n\r\n"
RECEIVE_BUFFER = 4096
SEGMENT = 1400
"""As over a network: for loopback's own, of 64 KiB, the kernel takes in megabytes to be sent."""


async def drip(port: int, first: bytes, drop: bytes) -> float:
    """Send `first`, then a drop now and then until it is closed: after how many seconds it was."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    began = time.perf_counter()
    writer.write(first)
    answer = asyncio.ensure_future(reader.read())
    try:
        while not (await asyncio.wait([answer], timeout=DROP_S))[0]:
            writer.write(drop)
        assert answer.result().startswith(b"HTTP/1.1 408 "), answer.result()
    except ConnectionError:  # on what it sent after the answer, which it had not read yet
        pass
    finally:
        writer.close()
    return time.perf_counter() - began


async def drip_all(port: int, number: int, first: bytes, drop: bytes) -> list[float]:
    """So many of them."""
    async with asyncio.timeout(RECEIVE_S + LIMIT_S):
        return list(await asyncio.gather(*(drip(port, first, drop) for _ in range(number))))


async def turn_deaf(port: int) -> socket.socket:
    """A client that reads the beginning of an answer without end, and then nothing."""
    loop = asyncio.get_running_loop()
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, SEGMENT)
    connection.setblocking(False)
    await loop.sock_connect(connection, ("127.0.0.1", port))
    await loop.sock_sendall(connection, STREAM)
    assert await loop.sock_recv(connection, 12) == b"HTTP/1.1 200"
    return connection


async def stay_deaf(port: int, number: int) -> list[float]:
    """So many of them: after how many seconds each was reset."""
    open_ = {}
    poll = select.poll()
    for _ in range(number):  # one after the other, for the queue has not places for all
        connection = await turn_deaf(port)
        open_[connection.fileno()] = (connection, time.perf_counter())
        poll.register(connection, 0)  # errors are told all the same
    took = []
    deadline = time.perf_counter() + SEND_S + LIMIT_S
    while open_:
        for descriptor, _ in poll.poll(0):
            connection, began = open_.pop(descriptor)
            took.append(time.perf_counter() - began)
            poll.unregister(descriptor)
            connection.close()
        assert time.perf_counter() < deadline, f"{len(open_)} were not closed"
        await asyncio.sleep(0.05)
    return took


def report_closed(report: Report, what: str, took: Sequence[float], limit_s: float) -> None:
    """How many there were, and how long the last was kept."""
    report.add(
        f"{len(took)} {what}: closed after, s, at most", round(max(took), 2), f"<= {limit_s}"
    )


async def beset(port: int, known: Known, number: int, report: Report) -> None:
    """A good client alone, then beside all of them."""
    alone = await probe(port, known.distinct, scaled_s(60, least=2), A_SECOND)
    beside = Ledger(known.distinct)
    async with Load(port, beside, connections=2, rate=A_SECOND):
        heads, bodies, deaf = await asyncio.gather(
            drip_all(port, number, HEAD + b"X: ", b"x"),
            drip_all(port, number, BODY, b" "),
            stay_deaf(port, number),
        )
    report_closed(report, "drip a header", heads, RECEIVE_S + SWEEP_S)
    report_closed(report, "drip a body", bodies, RECEIVE_S + SWEEP_S)
    report_closed(report, "never read", deaf, SEND_S + 2 * SWEEP_S)
    report.add_ledger(alone, "alone")
    report.add_ledger(beside, "beside them")
    p99 = [percentile(each.series[200].seconds, 99) for each in (alone, beside)]
    report.add("p99 beside them, of that alone", round(p99[1] / p99[0], 2), "<= 2")
    alone.assert_all_answered()
    beside.assert_all_answered()


@pytest.mark.slow
def test_slow_clients_are_closed_and_a_good_one_is_served(
    serve: Serve, known: Known, report: Report
) -> None:
    with serve(RECEIVE_TIMEOUT_S=RECEIVE_S, SEND_TIMEOUT_S=SEND_S) as service:
        rest(service, report)
        before = Usage.of(service.process.pid)
        uvloop.run(beset(service.port, known, scaled(500), report))
        await_no_connection(service.port)
        after = Usage.of(service.process.pid)
        report.add("descriptors left over", after.descriptors - before.descriptors, "0")
        assert after.descriptors == before.descriptors

"""Clients that go away at any byte of what they send or get: nothing of them is left."""

import asyncio
import random
import socket
import struct
import time
from contextlib import closing, suppress

import pytest
import uvloop

from tests.faults.ledger import Ledger
from tests.faults.load import Load
from tests.faults.processes import Usage, await_no_connection, connections, let_go, rest
from tests.faults.questions import Known
from tests.faults.report import Report
from tests.faults.scale import scaled
from tests.service.conftest import Serve, Service
from tests.service.test_metrics import scrape, value

AT_ONCE = 64
BESIDE = 16
"""Connections of those who stay; with those who go fewer than the queue has places."""
A_SECOND = 50.0
"""Requests of those who stay."""
LEFT_LIMIT_S = 30
LINGER_NONE = struct.pack("ii", 1, 0)
HOST = b" HTTP/1.1\r\nHost: test\r\nConnection: close\r\n"
WORDS = b'{"words": [' + b'"emma", ' * 500 + b'"anna"], "model": "bigram"}'
CHUNK = b"%x\r\n" % len(WORDS) + WORDS + b"\r\n"
POST = b"POST /score" + HOST + b"Content-Type: application/json\r\n"
ASKED = (
    (b"GET /generate?n=20&seed=1" + HOST + b"\r\n", 800),
    (b"GET /generate?n=1000&seed=2&model=bigram" + HOST + b"\r\n", 10_000),
    (b"GET /generate?n=100&min_length=12" + HOST + b"\r\n", 2_000),
    (b"GET /generate/stream?seed=3" + HOST + b"\r\n", 8_000),
    (b"GET /generate/stream?seed=4&format=sse" + HOST + b"\r\n", 8_000),
    (POST + b"Content-Length: %d\r\n\r\n" % len(WORDS) + WORDS, 300_000),
    (POST + b"Transfer-Encoding: chunked\r\n\r\n" + CHUNK + b"0\r\n\r\n", 0),
)
"""Requests, and how many bytes of each answer are of interest."""


async def leave(port: int, generator: random.Random) -> None:
    """Be one of them: in half of all cases before all is sent, and half of those who go reset."""
    sent, size = generator.choice(ASKED)
    wanted = -1
    if generator.random() < 0.5:
        sent = sent[: generator.randrange(len(sent))]
    else:
        wanted = int(size * generator.random() ** 2)
    reset = generator.random() < 0.5
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    with closing(writer), suppress(ConnectionError):  # it may be the first to go
        writer.write(sent)
        await writer.drain()
        while wanted > 0 and (part := await reader.read(min(wanted, 65536))):
            wanted -= len(part)
        if reset:
            there = writer.get_extra_info("socket")
            there.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NONE)


async def leave_all(port: int, number: int, seed: int) -> None:
    """All of them, some at a time."""
    generator = random.Random(seed)
    places = asyncio.Semaphore(AT_ONCE)

    async def take_place() -> None:
        async with places, asyncio.timeout(60):
            await leave(port, generator)

    await asyncio.gather(*(take_place() for _ in range(number)))


def left_over(service: Service, before: Usage) -> dict[str, float]:
    """What is there that was not before."""
    samples = scrape(service.client)
    let_go(service)
    return {
        "pending requests": value(samples, "namewright_engine_pending"),
        "requests under way": value(samples, "namewright_requests_under_way") - 1,
        "connections": connections(service.port),
        "descriptors": Usage.of(service.process.pid).descriptors - before.descriptors,
    }


@pytest.mark.slow
def test_clients_that_go_away_leave_nothing(serve: Serve, known: Known, report: Report) -> None:
    number = scaled(10_000, least=100)
    with serve() as service:
        rest(service, report)
        left_over(service, Usage.of(service.process.pid))  # it has read all that it ever reads
        await_no_connection(service.port)
        before = Usage.of(service.process.pid)
        ledger = Ledger(known.mixed)

        async def run() -> None:
            async with Load(service.port, ledger, connections=BESIDE, rate=A_SECOND):
                await leave_all(service.port, number, seed=1)

        uvloop.run(run())
        over = time.monotonic()
        while any((left := left_over(service, before)).values()):
            assert time.monotonic() - over < LEFT_LIMIT_S, left
            time.sleep(0.1)
        report.add("clients that went away", number)
        report.add("nothing left of them after, s", round(time.monotonic() - over, 2))
        report.add_ledger(ledger, "beside")
        report.add(
            "beside: lost or refused", ledger.asked - ledger.counts[200] - ledger.unsent, "0"
        )
        ledger.assert_all_answered()

"""The load generator itself, against a server that does all that a service must not."""

import asyncio
import socket
import struct
from collections.abc import Callable, Coroutine
from contextlib import closing, suppress
from typing import Any

import pytest
import uvloop

from tests.faults.ledger import Ledger, Loss
from tests.faults.load import Load
from tests.faults.questions import Question, get

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nemma"
HEAD_503 = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n"
POLITE = HEAD_503 + b"content-type: application/problem+json\r\nretry-after: 2\r\n\r\n"
LAST = OK.replace(b"content-", b"connection: close\r\ncontent-")
PATIENCE_S = 0.3

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]


def says(answer: bytes, reset: bool = False) -> Script:
    """A server that gives each connection this for an answer, and closes it."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await asyncio.sleep(0.02)  # it is to be read before a reset
        if reset:
            linger = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)

    return script


async def keep_silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.read()


async def answer_all(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)


def ask(script: Script, **options: Any) -> Ledger:
    """What a load of such a server is told, for a moment."""
    ledger = Ledger([Question("/", get("/"), b"emma")])

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError), closing(writer):
            await script(reader, writer)

    async def run() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with (
            server,
            Load(port, ledger, **({"connections": 2, "patience_s": PATIENCE_S} | options)),
        ):
            await asyncio.sleep(0.2)

    uvloop.run(run())
    return ledger


@pytest.mark.parametrize(
    ("script", "loss"),
    [
        (says(b""), Loss.CLOSED_BEFORE),
        (says(b"", reset=True), Loss.RESET_BEFORE),
        (says(OK[:-1]), Loss.CLOSED_WITHIN),
        (says(OK[:9], reset=True), Loss.RESET_WITHIN),
        (says(b"* OK IMAP\r\n\r\n"), Loss.GARBLED),
        (says(OK + b"HTTP"), Loss.GARBLED),
        (keep_silent, Loss.SILENT),
    ],
)
def test_each_loss_is_known_for_what_it_is(script: Script, loss: Loss) -> None:
    ledger = ask(script)
    assert set(ledger.lost) == {loss}
    assert ledger.asked == ledger.lost.total()
    ledger.assert_sound()
    with pytest.raises(AssertionError):
        ledger.assert_all_answered()


@pytest.mark.parametrize("rate", [None, 500.0])
def test_all_is_well_with_a_server_that_answers(rate: float | None) -> None:
    ledger = ask(answer_all, rate=rate)
    ledger.assert_all_answered()
    assert ledger.asked == len(ledger.series[200]) >= 50
    assert min(ledger.series[200].waited) > 0


def test_a_connection_that_is_closed_in_order_is_made_again() -> None:
    ledger = ask(says(LAST))
    ledger.assert_all_answered()
    assert ledger.closed >= ledger.counts[200] - 2 > 0


def test_a_wrong_answer_is_counted_and_shown() -> None:
    ledger = ask(says(LAST.replace(b"emma", b"Emma")))
    assert ledger.wrong == ledger.counts[200] > 0
    assert ledger.examples[0][0] == "/"
    with pytest.raises(AssertionError, match="Emma"):
        ledger.assert_sound()


@pytest.mark.parametrize(("answer", "rude"), [(POLITE, 0), (HEAD_503 + b"\r\n", 1)])
def test_a_refusal_must_be_polite(answer: bytes, rude: int) -> None:
    ledger = ask(says(answer))
    assert ledger.counts[503] > 0
    assert ledger.rude == rude * ledger.counts[503]


def test_a_request_that_is_retried_is_known_to_be() -> None:
    served = 0

    async def fail_at_first(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal served
        served += 1
        await says(LAST if served % 2 == 0 else b"")(reader, writer)

    ledger = ask(fail_at_first, connections=1, retry=True)
    ledger.assert_sound()
    assert not ledger.lost
    assert ledger.retried[Loss.CLOSED_BEFORE] == ledger.asked == ledger.counts[200] > 0
    with pytest.raises(AssertionError):
        ledger.assert_all_answered()


def test_a_connection_that_is_refused_is_counted_and_its_requests_wait() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        port = taken.getsockname()[1]
        ledger = Ledger([Question("/", get("/"))])

        async def run() -> None:
            async with Load(port, ledger, connections=2, rate=100):
                await asyncio.sleep(0.2)

        uvloop.run(run())
    assert ledger.refused >= 2
    assert ledger.asked == ledger.unsent > 0
    ledger.assert_sound()


def test_time_runs_from_when_a_request_was_due() -> None:
    async def answer_late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(0.1)
        writer.write(OK)
        await answer_all(reader, writer)

    ledger = ask(answer_late, connections=1, rate=200)
    assert max(ledger.series[200].waited) < 2 * max(ledger.series[200].seconds)
    assert sum(seconds > 0.05 for seconds in ledger.series[200].seconds) >= 5

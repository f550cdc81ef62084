"""Bytes that no client of good manners sends: each gets an answer, soon, and none a 5xx."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import uvloop

from tests.faults.answers import Answer, read
from tests.faults.questions import Known
from tests.faults.report import Report
from tests.faults.scale import scaled
from tests.service.conftest import PROBLEM_LIMIT_BYTES, Service, serving
from tests.service.mutations import ANSWER, GET, LAST, POST, WORDS, assert_harmless, mutations

RECEIVE_S = 1
HANG_S = RECEIVE_S + 1
"""For a request that never ends may be waited for in vain."""
AT_ONCE = 128
PATIENCE_S = 30
BATCH = 10_000
END = b"\r\n\r\n"
CHUNKED = b"Transfer-Encoding: chunked"
FRAMING = {
    "length beside chunks": POST + b"Content-Length: 4\r\n" + CHUNKED + END + b"0" + END,
    "chunks beside length": POST + CHUNKED + b"\r\nContent-Length: 4" + END + b"0" + END,
    "chunks twice": POST + CHUNKED + b", chunked" + END + b"0" + END,
    "folded header": GET + b"X: a\r\n b" + END,
    "two lengths": POST + b"Content-Length: 2\r\nContent-Length: 2" + END + b"{}",
    "two other lengths": POST + b"Content-Length: 2\r\nContent-Length: 0" + END + b"{}",
    "two hosts": GET + b"Host: other" + END,
    "no host": b"GET /livez HTTP/1.1" + END,
    "bare line feeds": GET.replace(b"\r\n", b"\n") + b"\n",
    "bare line feed": GET + b"X: a\nY: b" + END,
}
CHUNKS = 65_537


@dataclass(frozen=True)
class Exchange:
    """What came back for some bytes.

    Attributes:
        received: until the service closed.
        silence_s: the longest, before a part of it.
    """

    received: bytes
    silence_s: float


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that gives its clients a second to send a request."""
    log = tmp_path_factory.mktemp("hasty") / "log"
    with serving(log, RECEIVE_TIMEOUT_S=RECEIVE_S) as service:
        yield service


async def exchange(port: int, sent: bytes) -> Exchange:
    """Send it all at once, and read to the end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    received, silence_s, heard = b"", 0.0, time.perf_counter()
    writer.write(sent)
    try:
        while part := await reader.read(65536):
            received += part
            silence_s = max(silence_s, time.perf_counter() - heard)
            heard = time.perf_counter()
    except ConnectionError:  # closed on what it had not read
        pass
    finally:
        writer.close()
    return Exchange(received, silence_s)


async def exchange_all(port: int, requests: list[bytes]) -> list[Exchange]:
    """Some at a time."""
    places = asyncio.Semaphore(AT_ONCE)

    async def take_place(sent: bytes) -> Exchange:
        async with places, asyncio.timeout(PATIENCE_S):
            return await exchange(port, sent)

    return list(await asyncio.gather(*(take_place(sent) for sent in requests)))


def report_silence(report: Report, exchanges: list[Exchange]) -> None:
    """How long they were kept waiting."""
    silences_s = [each.silence_s for each in exchanges]
    report.add("requests", len(exchanges))
    report.add("longest silence, s", round(max(silences_s), 2), f"<= {HANG_S}")
    report.add(f"silent for over {HANG_S} s", sum(each > HANG_S for each in silences_s), "0")


@pytest.mark.slow
def test_a_hundred_thousand_damaged_requests_do_no_harm(hasty: Service, report: Report) -> None:
    total = scaled(100_000, least=512)
    exchanges: list[Exchange] = []
    for seed, done in enumerate(range(0, total, BATCH), start=10):
        damaged = mutations(seed, min(BATCH, total - done))
        answered = uvloop.run(exchange_all(hasty.port, [sent + LAST for sent in damaged]))
        for sent, each in zip(damaged, answered, strict=True):
            assert_harmless(sent, each.received)
        exchanges += [Exchange(b"", each.silence_s) for each in answered]
    report_silence(report, exchanges)
    assert hasty.client.get("/livez").status_code == 200


def test_what_others_may_read_otherwise_is_refused_and_nothing_after_it_is_read(
    hasty: Service, report: Report
) -> None:
    each_so_often, told = scaled(1000, least=20), []
    for what, sent in FRAMING.items():
        exchanges = uvloop.run(exchange_all(hasty.port, [sent + LAST] * each_so_often))
        for each in exchanges:
            assert each.received.startswith(b"HTTP/1.1 400 "), (what, each)
            assert len(ANSWER.findall(each.received)) == 1, (what, each)
            assert len(each.received.partition(END)[2]) <= PROBLEM_LIMIT_BYTES, (what, each)
        told += exchanges
    report_silence(report, told)


async def pipeline(port: int, requests: list[bytes]) -> list[Answer]:
    """The answers to requests that are all sent at once."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"".join(requests))
    answers: list[Answer] = []
    rest, start = b"", 0
    while len(answers) < len(requests):
        while found := read(rest, start):
            answer, start = found
            answers.append(answer)
        if len(answers) < len(requests):
            async with asyncio.timeout(PATIENCE_S):
                part = await reader.read(65536)
            assert part, f"closed after {len(answers)} answers"
            rest, start = rest[start:] + part, 0
    assert start == len(rest)
    writer.close()
    return answers


def test_a_thousand_requests_sent_at_once_are_answered_in_order(
    hasty: Service, known: Known, report: Report
) -> None:
    number = scaled(1000, least=100)
    questions = [known.mixed[index % len(known.mixed)] for index in range(number)]
    answers = uvloop.run(pipeline(hasty.port, [question.sent for question in questions]))
    for question, answer in zip(questions, answers, strict=True):
        assert answer.status == 200, (question.path, answer)
        assert answer.body == question.body, question.path
    report.add("requests on one connection", number)


def test_a_body_in_chunks_of_one_byte_is_read_as_any_other(hasty: Service, report: Report) -> None:
    body = WORDS + b" " * (CHUNKS - len(WORDS))
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0" + END
    whole = POST + b"Content-Length: %d" % len(body) + END + body
    cut = POST + CHUNKED + END + chunks
    began = time.perf_counter()
    answers = uvloop.run(pipeline(hasty.port, [whole])) + uvloop.run(pipeline(hasty.port, [cut]))
    report.add(f"{CHUNKS:,} chunks, s", round(time.perf_counter() - began, 2), "<= 1")
    assert answers[0].status == 200
    assert answers[0].body == answers[1].body
    assert answers[1].status == 200

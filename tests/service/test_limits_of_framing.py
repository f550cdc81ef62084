"""Where a request ends: what others could read in another way is refused, and the rest in order."""

import random
import socket
import time
from contextlib import suppress

import pytest

from tests.service.conftest import PATIENCE_S, Service, assert_problem, exchange, parse

GET = b"GET /livez HTTP/1.1\r\nHost: test\r\n"
LAST = GET + b"Connection: close\r\n\r\n"
POST = b"POST /score HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
WORDS = b'{"words": ["emma"], "model": "bigram"}'
UPGRADE = b"Connection: Upgrade\r\nUpgrade: h2c\r\n"


@pytest.mark.parametrize(
    "sent",
    [
        POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
        POST + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        POST + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
        POST + b"Content-Length: 3, 3\r\n\r\nabc",
        POST + b"Content-Length: +3\r\n\r\nabc",
        POST + b"Content-Length: 0x3\r\n\r\nabc",
        POST + b"Content-Length:\r\n\r\nabc",
        POST + b"Content-Length : 3\r\n\r\nabc",
        POST + b"Transfer-Encoding: gzip\r\n\r\nabc",
        POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding:\r\n\r\n0\r\n\r\n",
        b"POST /score HTTP/1.0\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        CHUNKED + b"3\nabc\r\n0\r\n\r\n",
        CHUNKED + b"3 \r\nabc\r\n0\r\n\r\n",
        CHUNKED + b"0x3\r\nabc\r\n0\r\n\r\n",
        CHUNKED + b"3\r\nabcd\r\n0\r\n\r\n",
        CHUNKED + b"f" * 17 + b"\r\n",
        POST + UPGRADE + b"Content-Length: 38\r\n\r\n" + WORDS,
        POST + UPGRADE + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        GET + b"Host: other\r\n\r\n",
        GET + b"Host: test\r\n\r\n",
        b"GET /livez HTTP/1.1\r\n\r\n",
        GET + b"X: a\r\n b\r\n\r\n",
        GET + b"X: a\r\n\tb\r\n\r\n",
        b"GET /livez HTTP/1.1\r\n Host: test\r\n\r\n",
        b"GET /livez HTTP/1.1\nHost: test\n\n",
        b"GET /livez HTTP/1.1\r\nHost: test\n\r\n",
        GET + b"X: a\rb\r\n\r\n",
        GET + b"X: a\0b\r\n\r\n",
        GET + b"X\0: a\r\n\r\n",
        GET + b": a\r\n\r\n",
        b"GET /livez\r\n\r\n",
        b"GET /livez HTTP/0.9\r\nHost: test\r\n\r\n",
        b"GET /livez HTTP/2.0\r\nHost: test\r\n\r\n",
        b"GET /\0 HTTP/1.1\r\nHost: test\r\n\r\n",
        b"GET livez HTTP/1.1\r\nHost: test\r\n\r\n",
        b"GET http://test HTTP/1.1\r\nHost: test\r\n\r\n",
        b"CONNECT test:80 HTTP/1.1\r\nHost: test\r\n\r\n",
    ],
)
def test_what_could_be_read_in_two_ways_is_400_and_what_follows_is_not_read(
    service: Service, sent: bytes
) -> None:
    received = exchange(service.port, sent + LAST)
    assert received.count(b"HTTP/1.1 ") == 1
    response = parse(received)
    assert_problem(response, 400)
    assert response.headers["connection"] == "close"


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /livez HTTP/1.0\r\n\r\n",
        b"GET /livez HTTP/1.0\r\nHost: test\r\n\r\n",
        b"\r\n\r\n" + LAST,
        b"GET http://other/livez HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n",
        GET + UPGRADE + b"\r\n",
        GET + UPGRADE.replace(b"h2c", b"websocket") + b"Sec-WebSocket-Version: 13\r\n\r\n",
        GET + b"X: \xff\r\nConnection: close\r\n\r\n",
        GET + b"X:\r\nConnection: close\r\n\r\n",
        GET + b"Connection: close\r\nContent-Length: 3\r\n\r\nabc",
    ],
)
def test_what_is_unusual_but_clear_is_served(service: Service, sent: bytes) -> None:
    received = exchange(service.port, sent)
    assert received.startswith(b"HTTP/1.1 200 ")
    assert received.endswith(b'{"status":"alive"}')


def test_trailers_do_not_become_headers(service: Service) -> None:
    body = b"%x\r\n%b\r\n0\r\n" % (len(WORDS), WORDS)
    sent = CHUNKED + body + b"Content-Type: text/plain\r\nHost: b\r\nX-Request-ID: late\r\n\r\n"
    received = exchange(service.port, sent + LAST)
    assert received.count(b"HTTP/1.1 200 ") == 2
    assert b"late" not in received


# ---------------------------------------------------------------- pipelining


def in_parts(sent: bytes, seed: int) -> list[bytes]:
    """Cut at random places, near line ends above all."""
    generator = random.Random(seed)
    ends = [index + generator.randint(-2, 2) for index, byte in enumerate(sent) if byte == 10]
    cuts = sorted({0, len(sent), *generator.sample(ends, min(len(ends), 12))})
    return [sent[begin:end] for begin, end in zip(cuts, cuts[1:], strict=False)]


def answers(received: bytes) -> list[bytes]:
    """The statuses, in order."""
    return [part[:3] for part in received.split(b"HTTP/1.1 ")[1:]]


@pytest.mark.parametrize("seed", range(20))
def test_requests_of_all_kinds_are_answered_in_order_however_they_are_cut(
    service: Service, seed: int
) -> None:
    length = b"Content-Length: %d\r\n\r\n" % len(WORDS)
    chunks = b"".join(b"1;x=y\r\n%c\r\n" % byte for byte in WORDS) + b"0\r\nT: x\r\n\r\n"
    lines = b"8\r\n{\r\n\r\n\r\n \r\n" + b"%x\r\n%b\r\n0\r\n\r\n" % (len(WORDS) - 1, WORDS[1:])
    kinds = [
        (GET + b"\r\n", 200),
        (b"GET /nowhere HTTP/1.1\r\nHost: test\r\n\r\n", 404),
        (b"POST /nowhere HTTP/1.1\r\nHost: test\r\n" + length + WORDS, 404),
        (POST + length + WORDS, 200),
        (CHUNKED + chunks, 200),
        (CHUNKED + lines, 200),
        (b"\r\n" + GET + b"Content-Length: 4\r\n\r\n\r\n\r\n", 200),
        (b"GET /generate?n=0 HTTP/1.1\r\nHost: test\r\n\r\n", 422),
    ]
    chosen = random.Random(seed).choices(kinds, k=12)
    expected = [status for _, status in chosen] + [200]
    received = b""
    with socket.create_connection(("127.0.0.1", service.port), timeout=PATIENCE_S) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for part in in_parts(b"".join(sent for sent, _ in chosen) + LAST, seed):
            connection.sendall(part)
            time.sleep(0.002)  # so that most parts are a read of their own
        while part := connection.recv(65536):
            received += part
    assert [int(status) for status in answers(received)] == expected


def test_a_thousand_requests_at_once_are_answered_one_after_the_other(service: Service) -> None:
    received = exchange(service.port, (GET + b"\r\n") * 999 + LAST)
    assert answers(received) == [b"200"] * 1000


def test_what_waited_is_answered_once(service: Service) -> None:
    received = b""
    with socket.create_connection(("127.0.0.1", service.port), timeout=PATIENCE_S) as connection:
        connection.sendall((GET + b"\r\n") * 3)  # one read, of which the last two wait
        while received.count(b'"alive"') < 3:
            part = connection.recv(65536)
            assert part, "it was closed"
            received += part
        connection.sendall(LAST)
        while part := connection.recv(65536):
            received += part
    assert answers(received) == [b"200"] * 4


def test_requests_behind_a_long_one_are_not_taken_in_without_bound(service: Service) -> None:
    stream = b"GET /generate/stream HTTP/1.1\r\nHost: test\r\n\r\n"
    with socket.create_connection(("127.0.0.1", service.port)) as connection:
        connection.settimeout(2)
        connection.sendall(stream)
        sent = 0
        with suppress(TimeoutError):  # it reads no more
            while sent < 100 << 20:
                sent += connection.send((GET + b"\r\n") * 1000)
        assert sent < 100 << 20
        assert service.client.get("/livez").status_code == 200


def test_a_fault_after_good_requests_is_told_when_they_are_answered(service: Service) -> None:
    good = b"GET /generate?n=1000&seed=1 HTTP/1.1\r\nHost: test\r\n\r\n"
    received = exchange(service.port, good * 2 + b"GARBAGE\r\n\r\n" + LAST)
    assert answers(received) == [b"200", b"200", b"400"]
    assert received.rindex(b"HTTP/1.1 400") > received.rindex(b'"fingerprint"')


def test_an_upgrade_that_is_ignored_ends_the_connection(service: Service) -> None:
    received = exchange(service.port, GET + UPGRADE + b"\r\n" + LAST)
    assert answers(received) == [b"200"]
    assert b"connection: close" in received

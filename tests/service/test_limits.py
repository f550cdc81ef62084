"""How much a request may have: at each bound it passes, and one above it is refused."""

import socket

import httpx
import pytest

from app.limits import MAX_HEADER_BYTES, MAX_HEADERS, MAX_URL_BYTES
from tests.service.conftest import (
    PATIENCE_S,
    Serve,
    Service,
    assert_problem,
    exchange,
    members,
    parse,
)

LINE = b"GET /livez HTTP/1.1\r\n"
HOST = b"Host: test\r\nConnection: close\r\n"
POST = b"POST /score HTTP/1.1\r\nContent-Type: application/json\r\n" + HOST
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
WORDS = b'{"words": ["emma"], "model": "bigram"}'
BIGRAM = {"MODELS": "bigram", "DEFAULT_MODEL": "bigram"}


def ask(service: Service, sent: bytes) -> httpx.Response:
    """The answer to these bytes, after which the service closes."""
    return parse(exchange(service.port, sent))


def ask_in_parts(service: Service, sent: bytes, size: int) -> httpx.Response:
    """The same, sent `size` bytes at a time."""
    received = b""
    with socket.create_connection(("127.0.0.1", service.port), timeout=PATIENCE_S) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for start in range(0, len(sent), size):
            connection.sendall(sent[start : start + size])
        while part := connection.recv(65536):
            received += part
    return parse(received)


def url_of(size: int) -> bytes:
    return b"GET /livez?" + b"x" * (size - 7) + b" HTTP/1.1\r\n" + HOST + b"\r\n"


def header_of(size: int) -> bytes:
    value = b"y" * (size - len(HOST + b"X: \r\n"))
    return LINE + HOST + b"X: " + value + b"\r\n\r\n"


def fields_of(count: int) -> bytes:
    return LINE + HOST + b"A: b\r\n" * (count - 2) + b"\r\n"


@pytest.mark.parametrize(
    ("at", "above", "accepted", "refused"),
    [
        (url_of(MAX_URL_BYTES), url_of(MAX_URL_BYTES + 1), 422, 414),
        (header_of(MAX_HEADER_BYTES), header_of(MAX_HEADER_BYTES + 1), 200, 431),
        (fields_of(MAX_HEADERS), fields_of(MAX_HEADERS + 1), 200, 431),
    ],
    ids=["url", "header bytes", "header fields"],
)
def test_a_head_at_a_bound_is_served_and_one_above_it_refused(
    service: Service, at: bytes, above: bytes, accepted: int, refused: int
) -> None:
    for sent, status in [(at, accepted), (above, refused)]:
        whole = ask(service, sent)
        parts = [ask_in_parts(service, sent, size) for size in (len(sent) - 1, 16)]
        assert [whole.status_code, *(part.status_code for part in parts)] == [status] * 3
        if status == refused:
            assert "allowed: " in assert_problem(whole, refused)["detail"]
            assert whole.headers["connection"] == "close"


def test_both_bounds_hold_together(service: Service) -> None:
    url = url_of(MAX_URL_BYTES).partition(b"\r\n")[0] + b"\r\n"
    headers = header_of(MAX_HEADER_BYTES).partition(b"\r\n")[2]
    assert_problem(ask(service, url + headers), 422, "x" * 63 + "…")


@pytest.mark.parametrize(
    ("before", "filling", "status"),
    [
        (b"GET /livez?", b"x", 414),
        (LINE + HOST + b"X: ", b"y", 431),
        (LINE + HOST, b"N", 431),
        (LINE + HOST + b"X:", b" ", 431),
        (LINE + HOST, b"A: b\r\n", 431),
        (b"", b"\r\n", 431),
        (CHUNKED + b"1;", b"x", 431),
        (CHUNKED, b"0", 431),
        (CHUNKED + b"0\r\nT: ", b"x", 431),
        (CHUNKED + b"0\r\n", b"T: x\r\n", 431),
        (CHUNKED + b"989680\r\n", b"x", 413),
        (POST + b"Content-Length: 10000000\r\n\r\n", b"x", 413),
    ],
)
def test_ten_megabytes_of_anything_are_refused_before_their_end(
    service: Service, before: bytes, filling: bytes, status: int
) -> None:
    sent = before + filling * (10_000_000 // len(filling))
    assert_problem(ask(service, sent), status)
    assert service.client.get("/livez").status_code == 200


def test_a_little_beside_a_body_in_chunks_is_read_and_dropped(service: Service) -> None:
    # As a header this would be another type of body.
    sent = CHUNKED + b"%x;a=b\r\n%b\r\n0\r\nContent-Type: text/plain\r\n\r\n"
    assert ask(service, sent % (len(WORDS), WORDS)).status_code == 200


@pytest.mark.slow
def test_refusals_leave_no_memory_behind(serve: Serve) -> None:
    with serve(**BIGRAM) as service:
        before = 0
        for round_ in range(40):
            assert ask(service, header_of(10_000_000)).status_code == 431
            if round_ == 5:
                before = resident_bytes(service)
        assert resident_bytes(service) - before < 4 << 20


def resident_bytes(service: Service) -> int:
    """Memory of the server's process."""
    (pid,) = members(service.process.pid)
    with open(f"/proc/{pid}/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * 4096


# -------------------------------------------------------------------- bodies


def in_chunks(body: bytes, size: int) -> bytes:
    parts = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


@pytest.mark.parametrize("chunk", [None, 4096, 131_072])
def test_a_body_at_the_bound_is_read_and_one_byte_more_refused(
    service: Service, chunk: int | None
) -> None:
    for size, status in [(131_072, 200), (131_073, 413)]:
        body = WORDS.ljust(size)
        if chunk:
            sent = CHUNKED + in_chunks(body, chunk)
        else:
            sent = POST + b"Content-Length: %d\r\n\r\n" % size + body
        response = ask(service, sent)
        assert response.status_code == status, response.text
        if status == 413:
            assert "allowed: 131072 bytes" in assert_problem(response, 413)["detail"]


def test_too_long_a_body_is_refused_before_it_comes(service: Service) -> None:
    head = POST + b"Content-Length: 131073\r\nExpect: 100-continue\r\n\r\n"
    assert_problem(ask(service, head), 413)
    assert_problem(ask(service, CHUNKED + b"20001\r\n" + b" " * 131_073), 413)
    assert_problem(ask(service, LINE + HOST + b"Content-Length: 131073\r\n\r\n"), 413)


def test_chunks_of_one_byte_are_read(service: Service) -> None:
    body = WORDS.ljust(65_537)
    assert ask(service, CHUNKED + in_chunks(body, 1)).status_code == 200


def test_a_body_that_is_refused_under_way_leaves_no_trace_of_an_error(service: Service) -> None:
    for path in (b"score", b"generate", b"v1/completions"):
        head = CHUNKED.replace(b"score", path)
        assert_problem(ask(service, head + b"20001\r\n" + b" " * 131_073), 413)
        assert_problem(ask(service, head + b"1\r\n{\r\nzz\r\n"), 400)
    assert service.client.get("/livez").status_code == 200
    text = service.log.read_text()
    assert "Traceback" not in text
    assert "ERROR" not in text


# --------------------------------------------------------------- the answers


def test_a_refusal_keeps_the_callers_request_id(service: Service) -> None:
    for head in (fields_of(65), CHUNKED + b"zz\r\n"):
        first, rest = head.split(b"\r\n", 1)
        response = ask(service, first + b"\r\nX-Request-ID: mine\r\n" + rest)
        assert assert_problem(response, response.status_code)["request_id"] == "mine"


def test_a_refusal_of_head_has_no_body(service: Service) -> None:
    response = ask(service, b"HEAD" + fields_of(65)[3:])
    assert response.status_code == 431
    assert response.content == b""


def test_a_refusal_under_v1_is_openais_too(service: Service) -> None:
    response = ask(service, url_of(9000).replace(b"/livez", b"/v1/models"))
    assert assert_problem(response, 414)["error"]["type"] == "invalid_request_error"


def test_each_of_several_workers_keeps_the_limits(serve: Serve) -> None:
    with serve(WORKERS=2, RECEIVE_TIMEOUT_S=1, **BIGRAM) as service:
        for _ in range(4):
            assert_problem(ask(service, fields_of(65)), 431)
            assert_problem(ask(service, LINE), 408)

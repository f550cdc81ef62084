"""Requests that come when too many wait: refused at once, in order, and then served again."""

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from app.admission import FEWEST
from tests.service.conftest import (
    JSON,
    PATIENCE_S,
    Service,
    assert_problem,
    parse,
    request,
    serving,
)
from tests.service.keyed import ORIGIN
from tests.service.test_metrics import scrape, value

LONG = b"GET /generate?model=korean-gpt&n=1000&max_length=127 HTTP/1.1\r\nHost: test\r\n\r\n"
"""Takes minutes, of which none is awaited."""
GET = b"GET /generate?n=1&seed=1 HTTP/1.1\r\nHost: test\r\n\r\n"


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with a short queue, and all the time for what is in it."""
    log = tmp_path_factory.mktemp("small") / "log"
    settings = {"MODELS": "bigram,korean-gpt", "DEFAULT_MODEL": "bigram", "CORS_ORIGINS": ORIGIN}
    with serving(log, QUEUE_SIZE=FEWEST, DEADLINE_S=600, **settings) as running:
        yield running


@pytest.fixture
def crowded(small: Service) -> Iterator[Service]:
    """That, while as many wait as may."""
    with crowd(small):
        yield small


@contextmanager
def crowd(service: Service) -> Iterator[None]:
    """Within, as many requests wait as may."""
    while value(scrape(service.client), "namewright_requests_under_way") > 1:
        pass  # a crowd of before, that has not left as a whole
    with ExitStack() as within:
        while service.client.get("/generate?n=1").status_code == 200:
            address = ("127.0.0.1", service.port)
            connection = within.enter_context(socket.create_connection(address, timeout=PATIENCE_S))
            connection.sendall(LONG)
        yield


def test_it_is_the_503_of_a_full_queue_on_a_connection_that_stays(crowded: Service) -> None:
    refused = crowded.client.get("/generate?n=1", headers={"X-Request-ID": "mine.1"})
    problem = assert_problem(refused, 503)
    assert problem["request_id"] == "mine.1"
    assert "try again" in problem["detail"]
    assert 1 <= int(refused.headers["retry-after"]) <= 3
    assert "connection" not in refused.headers
    assert "date" in refused.headers
    ids = {assert_problem(crowded.client.get("/score"), 503)["request_id"] for _ in range(20)}
    assert len(ids) == 20


def test_probes_the_page_and_metrics_are_answered(crowded: Service) -> None:
    for path in ("/livez", "/readyz", "/metrics", "/", "/docs", "/static/style.css"):
        assert crowded.client.get(path).status_code == 200, path


def test_a_body_is_read_and_dropped_in_one_piece_or_in_chunks(crowded: Service) -> None:
    words = json.dumps({"words": ["emma"] * 900}).encode()

    def parts() -> Iterator[bytes]:
        yield from (words[start : start + 100] for start in range(0, len(words), 100))

    for content in (words, parts()):
        refused = crowded.client.post("/score", content=content, headers=JSON)
        assert_problem(refused, 503)
        assert crowded.client.get("/livez").status_code == 200
    assert_problem(crowded.client.post("/score", content=b"a" * 200_000, headers=JSON), 413)


def test_openais_clients_are_told_in_their_shape(crowded: Service) -> None:
    refused = crowded.client.post("/v1/completions", content=b"{}", headers=JSON)
    assert assert_problem(refused, 503)["error"]["message"]


def test_head_has_no_body(crowded: Service) -> None:
    refused = crowded.client.head("/generate")
    assert refused.status_code == 503
    assert not refused.content
    assert int(refused.headers["content-length"]) > 100
    assert crowded.client.get("/livez").status_code == 200


def test_a_client_that_wants_to_go_is_let_go(crowded: Service) -> None:
    assert_problem(request(crowded.port, b"/generate"), 503)  # reads up to the close


def test_pipelined_requests_are_refused_in_order(crowded: Service) -> None:
    last = GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    with socket.create_connection(("127.0.0.1", crowded.port), timeout=PATIENCE_S) as connection:
        connection.sendall(GET * 50 + GET.replace(b"/generate?n=1&seed=1", b"/livez") + last)
        received = b""
        while part := connection.recv(65536):
            received += part
    answers = [b"HTTP/1.1 " + each for each in received.split(b"HTTP/1.1 ")[1:]]
    assert [parse(each).status_code for each in answers] == [503] * 50 + [200, 503]


def test_it_is_counted_as_overload(crowded: Service) -> None:
    def count() -> float:
        lines = crowded.client.get("/metrics").text.splitlines()
        label = 'namewright_rejections_total{cause="overloaded"}'
        return next((float(line.split()[1]) for line in lines if line.startswith(label)), 0)

    before = count()
    for _ in range(5):
        crowded.client.get("/generate")
    assert count() == before + 5


def test_who_sends_slowly_takes_no_ones_place(small: Service) -> None:
    head = b"POST /score HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n"
    while value(scrape(small.client), "namewright_requests_under_way") > 1:
        pass
    with ExitStack() as within:
        for _ in range(2 * FEWEST):
            address = ("127.0.0.1", small.port)
            connection = within.enter_context(socket.create_connection(address, timeout=PATIENCE_S))
            connection.sendall(head + b"Content-Length: 9\r\n\r\n{")
        while value(scrape(small.client), "namewright_requests_under_way") <= 2 * FEWEST:
            pass
        assert small.client.get("/generate?n=1").status_code == 200


def test_all_is_as_ever_when_the_crowd_has_gone(small: Service) -> None:
    client, asked = small.client, "/generate?n=1&seed=1"
    while (expected := client.get(asked)).status_code == 503:
        pass  # of the test before
    for _ in range(3):
        with crowd(small):
            assert client.get(asked).status_code == 503
        while (answer := client.get(asked)).status_code == 503:
            pass
        assert answer.content == expected.content


def test_a_page_of_another_origin_can_read_its_refusal(crowded: Service) -> None:
    answer = crowded.client.get("/generate", headers={"Origin": ORIGIN})
    assert answer.headers["access-control-allow-origin"] == ORIGIN

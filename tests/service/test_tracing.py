"""Spans of a real server's requests, as a real collector gets them."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from tests.service.collector import Collector, Span, collecting
from tests.service.conftest import (
    PATIENCE_S,
    ROOT,
    START_LIMIT_S,
    STOP_LIMIT_S,
    Serve,
    free_port,
    launch,
    serving,
)
from tests.service.keyed import ALICE, ALONE, bearer, entry
from tests.service.test_parent import await_line

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"
SMALL = {"MODELS": "bigram", "DEFAULT_MODEL": "bigram", "POOL_NAMES": 0}


def of(spans: list[Span], name: str) -> Span:
    """The only span of that name."""
    (found,) = [span for span in spans if span.name == name]
    return found


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    """A collector that services of this test are told of."""
    with collecting() as running:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", running.endpoint)
        yield running


def test_spans_are_named_by_route_and_tell_nothing_that_a_caller_wrote(
    collector: Collector, tmp_path: Path
) -> None:
    with serving(tmp_path / "log", API_KEYS=entry(ALICE), **ALONE) as service:
        key = bearer(ALICE) | {"X-Request-ID": "mine-1", "Host": "hidden.example"}
        asked = [
            ("GET", "/generate?n=1&prefix=hidden", None, 200),
            ("HEAD", "/generate?n=1", None, 200),
            ("GET", "/names/hidden?n=hidden", None, 422),
            ("GET", "/models/bigram", None, 200),
            ("POST", "/score", {"words": ["hidden"]}, 200),
            ("GET", "/generate?n=hidden", None, 422),
            ("GET", "/hidden", None, 404),
            ("GET", "/generate/stream?n=2&seed=1", None, 200),
            ("GET", "/livez", None, 200),
        ]
        for method, path, body, status in asked:
            answer = service.client.request(method, path, json=body, headers=key)
            assert answer.status_code == status, (path, answer.text)
        assert service.client.get("/score?word=hidden").status_code == 401
    spans = collector.spans
    told = [(span.name, span.attributes["http.response.status_code"]) for span in spans]
    assert sorted(told) == [
        ("GET", 401),
        ("GET", 404),
        ("GET /generate", 200),
        ("GET /generate", 422),
        ("GET /generate/stream", 200),
        ("GET /models/{model_id}", 200),
        ("GET /names/{key}", 422),
        ("HEAD /generate", 200),
        ("POST /score", 200),
    ]
    assert {key for span in spans for key in span.attributes} == {
        "http.request.method", "http.response.status_code", "http.route",
        "namewright.request_id", "network.protocol.version", "url.scheme",
    }  # fmt: skip
    assert of(spans, "POST /score").attributes["namewright.request_id"] == "mine-1"
    assert of(spans, "POST /score").resource["service.name"] == "namewright"
    assert not any(span.error for span in spans)
    for body in collector.bodies:
        assert b"hidden" not in body
        assert ALICE.encode() not in body


def test_a_trace_of_the_caller_goes_on_and_stands_in_json_lines(
    collector: Collector, tmp_path: Path
) -> None:
    port, requests, events = free_port(), tmp_path / "requests", tmp_path / "events"
    settings = {"PORT": port, "LOG_FORMAT": "json", **SMALL}
    given = {f"NAMEWRIGHT_{name}": str(value) for name, value in settings.items()}
    given |= {"OTEL_SERVICE_NAME": "names-of-mine", "OTEL_TRACES_EXPORTER": "otlp"}
    with events.open("wb") as stderr, requests.open("wb") as stdout:
        process = subprocess.Popen(
            [sys.executable, "-m", "app"],
            cwd=ROOT, env=os.environ | given, stdout=stdout, stderr=stderr,
        )  # fmt: skip
    try:
        _ask(port, b"/generate?n=1", b"traceparent: " + TRACEPARENT.encode())
        _ask(port, b"/models", b"traceparent: 00-nonsense-01")
        _ask(port, b"/livez", b"traceparent: " + TRACEPARENT.encode())
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(STOP_LIMIT_S)
    generated, listed = collector.spans  # at once: the end of the process has waited for them
    assert (generated.name, generated.trace_id, generated.parent_id) == (
        "GET /generate", TRACE, PARENT,
    )  # fmt: skip
    assert generated.resource["service.name"] == "names-of-mine"
    assert listed.parent_id == ""
    lines = [json.loads(line) for line in requests.read_text().splitlines()]
    told = {line["path"]: line.get("trace_id") for line in lines}
    assert told == {"/generate": TRACE, "/models": listed.trace_id, "/livez": None}
    assert re.fullmatch("[0-9a-f]{32}", listed.trace_id)
    ids = {line["path"]: line["request_id"] for line in lines}
    assert generated.attributes["namewright.request_id"] == ids["/generate"]


def _ask(port: int, target: bytes, field: bytes) -> None:
    """GET with a header field, once the service listens."""
    deadline = time.monotonic() + START_LIMIT_S
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as connection:
                connection.sendall(
                    b"GET " + target + b" HTTP/1.1\r\nHost: test\r\nConnection: close\r\n"
                    + field + b"\r\n\r\n"
                )  # fmt: skip
                assert connection.recv(65536).startswith(b"HTTP/1.1 200")
                return
        except ConnectionRefusedError:
            assert time.monotonic() < deadline
            time.sleep(0.1)


def test_every_worker_sends_its_spans_and_the_last_ones_at_its_end(
    collector: Collector, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
    log, asked = tmp_path / "log", 0
    with serving(log, WORKERS=2, **SMALL) as service, ThreadPoolExecutor(8) as pool:
        await_line(log, "startup complete", 2)
        deadline = time.monotonic() + START_LIMIT_S
        while len({span.resource["process.pid"] for span in collector.spans}) < 2:
            assert time.monotonic() < deadline, "only one worker has sent any"
            fresh = {"Connection": "close"}  # the system chooses who takes a new connection
            get = partial(service.client.get, "/generate?n=1", headers=fresh)
            for answer in [pool.submit(get) for _ in range(20)]:
                assert answer.result().status_code == 200
                asked += 1
    assert len(collector.spans) == asked


def test_an_error_of_ours_is_an_error_of_the_span(collector: Collector, serve: Serve) -> None:
    with serve(DEADLINE_S=1, MODELS="korean-gpt", DEFAULT_MODEL="korean-gpt") as service:
        asked = "/generate?n=1000&max_length=127"  # passes for many seconds
        assert service.client.get(asked).status_code == 504
    (span,) = collector.spans
    assert span.error
    assert span.attributes["error.type"] == "504"


@pytest.mark.parametrize("silent", [False, True], ids=["refuses", "never answers"])
def test_a_collector_that_is_down_fails_no_request_and_holds_up_no_end(
    silent: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listening:
        port = listening.getsockname()[1] if silent else free_port()
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{port}")
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
        log = tmp_path / "log"
        with serving(log, **SMALL) as service:
            slowest = 0.0
            until = time.monotonic() + 2
            while time.monotonic() < until:
                begun = time.perf_counter()
                assert service.client.get("/generate?n=1").status_code == 200
                slowest = max(slowest, time.perf_counter() - begun)
            assert slowest < 5
            ending = time.monotonic()
        assert time.monotonic() - ending < 9
    text = log.read_text()
    assert "Traceback" not in text
    assert text.count("Transient error") <= 1
    assert silent or "Transient error" in text


NOTHING = """
import os, sys, threading
from app.server import Server
from app.settings import Settings
endpoint = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}
for variables in ({}, {"OTEL_SERVICE_NAME": "x"}, endpoint | {"OTEL_SDK_DISABLED": "true"}):
    os.environ |= variables
    Server(Settings())
    parts = ("opentelemetry.sdk", "opentelemetry.exporter", "google.protobuf")
    found = [name for name in sys.modules if name.startswith(parts)]
    if found or threading.active_count() > 1:
        sys.exit(f"{variables}: {found}, {threading.enumerate()}")
"""


def test_nothing_of_it_is_imported_or_running_where_it_is_not_asked_for() -> None:
    done = subprocess.run(
        [sys.executable, "-c", NOTHING], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("workers", [1, 2])
def test_what_cannot_be_had_stops_the_start_with_a_line(
    workers: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "zipkin")
    process = launch(tmp_path / "log", PORT=free_port(), WORKERS=workers, **SMALL)
    assert process.wait(START_LIMIT_S) == 2
    assert (tmp_path / "log").read_text() == (
        "error: cannot start: OTEL_TRACES_EXPORTER is zipkin; possible are otlp and none\n"
    )

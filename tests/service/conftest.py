"""The service as its users meet it: `python -m app` in a process of its own, over TCP.

What an in-process client cannot show is the point here: the HTTP parser, signals,
exit statuses, several workers.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.service.keyed import ALICE, ALONE, BOB, ORIGIN, entry

ROOT = Path(__file__).parent.parent.parent

START_LIMIT_S = 60
KEEPALIVE_S = 2.0
"""Clients let go of a connection before the server does, after 5 s, under their request."""
STOP_LIMIT_S = 30
PATIENCE_S = 60
"""How long a test waits for bytes: a machine may stand still for half a minute."""
PROBLEM_LIMIT_BYTES = 4096
"""An error is for reading, and must not multiply what a caller sends."""

JSON = {"Content-Type": "application/json"}

_TITLES = {413: "Content Too Large", 414: "URI Too Long", 422: "Unprocessable Content"}


@dataclass(frozen=True)
class Service:
    """A service that is ready.

    Attributes:
        process: started in a process group of its own.
        port: where it listens on 127.0.0.1.
        client: an HTTP client of it.
        log: what it has written to standard error.
    """

    process: "subprocess.Popen[bytes]"
    port: int
    client: httpx.Client
    log: Path


Serve = Callable[..., AbstractContextManager[Service]]


def launch(log: Path, **environment: object) -> "subprocess.Popen[bytes]":
    """Start `python -m app`, its standard error into `log`.

    Args:
        log: written anew.
        environment: each setting without its NAMEWRIGHT_; no others are inherited, and
            TREE_MEMORY_MB and POOL_NAMES are small if not given, DEADLINE_S and
            RECEIVE_TIMEOUT_S are long, and there is neither a spare worker nor a time in which
            it is unready.
    """
    inherited = {key: value for key, value in os.environ.items() if "NAMEWRIGHT_" not in key}
    # A tree and a pool of the default sizes are filled for minutes, on the cores that the
    # tests need; and a slow machine, on which a client may stand still, is no failure.
    settings = {
        "TREE_MEMORY_MB": 4, "POOL_NAMES": 2000, "DEADLINE_S": 60, "RECEIVE_TIMEOUT_S": 120,
        "SPARES": 0, "DRAIN_S": 0, **environment,
    }  # fmt: skip
    given = {f"NAMEWRIGHT_{key}": str(value) for key, value in settings.items()}
    with log.open("wb") as stderr:
        return subprocess.Popen(
            [sys.executable, "-m", "app"],
            cwd=ROOT,
            env=inherited | given,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            # No session of its own: Linux shares cores out by sessions, and where a crowded one has
            # them, others have been seen to stand still for most of a minute.
            process_group=0,
        )


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def members(group: int) -> list[int]:
    """The processes of a group that still run."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, process_group, *_ = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
        if int(process_group) == group and state != "Z":
            found.append(int(stat.parent.name))
    return found


def assert_nothing_left(group: int, log: Path) -> None:
    """Check that a group's last processes end, now that their parent has; kill them if not."""
    deadline = time.monotonic() + STOP_LIMIT_S
    while (left := members(group)) and time.monotonic() < deadline:
        time.sleep(0.05)
    if left:
        kill(group)
    assert not left, f"processes {left} outlived the service\n{log.read_text()}"


def kill(group: int) -> None:
    """End what is left of a group, if anything is."""
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def end(process: "subprocess.Popen[bytes]", log: Path) -> None:
    """Ask a service to end, and see that it does, with all its children."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        status = process.wait(STOP_LIMIT_S)
    except subprocess.TimeoutExpired:
        kill(process.pid)
        process.wait()
        raise
    assert_nothing_left(process.pid, log)
    assert status == 0, f"exit status {status} after SIGTERM\n{log.read_text()}"


@contextmanager
def serving(log: Path, **environment: object) -> Iterator[Service]:
    """A service with these settings, ready; it is ended, and that checked, on leaving."""
    port = free_port()
    process = launch(log, PORT=port, **environment)
    base_url = f"http://127.0.0.1:{port}"
    try:
        limits = httpx.Limits(keepalive_expiry=KEEPALIVE_S)
        with httpx.Client(
            base_url=base_url, timeout=PATIENCE_S, trust_env=False, limits=limits
        ) as client:
            await_ready(client, process, log)
            yield Service(process, port, client, log)
    except BaseException:
        kill(process.pid)
        process.wait()
        raise
    end(process, log)


def await_ready(client: httpx.Client, process: "subprocess.Popen[bytes]", log: Path) -> None:
    """Wait until a service answers that it is ready."""
    deadline = time.monotonic() + START_LIMIT_S
    while True:
        try:
            assert client.get("/readyz").status_code == 200
        except httpx.TransportError:
            text = log.read_text()
            assert process.poll() is None, f"exit status {process.returncode}\n{text}"
            assert time.monotonic() < deadline, f"not ready in {START_LIMIT_S} s\n{text}"
            time.sleep(0.1)
        else:
            return


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The service with its default settings, one for the whole run."""
    with serving(tmp_path_factory.mktemp("service") / "log") as running:
        yield running


@pytest.fixture(scope="session")
def client(service: Service) -> httpx.Client:
    """A client of the service with its default settings."""
    return service.client


@pytest.fixture(scope="session")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that gives its clients a second, one for the whole run."""
    log = tmp_path_factory.mktemp("hasty") / "log"
    settings = {"MODELS": "bigram", "DEFAULT_MODEL": "bigram"}
    with serving(log, RECEIVE_TIMEOUT_S=1, SEND_TIMEOUT_S=1, **settings) as running:
        yield running


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with two keys, one of which has a name."""
    keys = f"{entry(ALICE, 'alice')}, {entry(BOB)}"
    options = {"API_KEYS": keys, "CORS_ORIGINS": ORIGIN, "LOG_LEVEL": "debug"}
    with serving(tmp_path_factory.mktemp("keyed") / "log", **options, **ALONE) as running:
        yield running


@pytest.fixture
def serve(tmp_path: Path) -> Serve:
    """serve(SETTING=value, ...) -> a context of a service of one's own."""

    def start(**environment: object) -> AbstractContextManager[Service]:
        return serving(tmp_path / "log", **environment)

    return start


def exchange(port: int, sent: bytes) -> bytes:
    """Everything that comes back for some raw bytes, until the server closes.

    Fails with TimeoutError where it keeps silent instead.
    """
    received = b""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as connection:
        try:
            connection.sendall(sent)
            while part := connection.recv(65536):
                received += part
        except (ConnectionResetError, BrokenPipeError):  # closed on us, which is an answer
            pass
    return received


def request(port: int, target: bytes) -> httpx.Response:
    """GET a path and query exactly as they are; clients tidy them up."""
    sent = b"GET " + target + b" HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"
    return parse(exchange(port, sent))


def parse(raw: bytes) -> httpx.Response:
    """One answer, as `exchange` has it."""
    head, _, body = raw.partition(b"\r\n\r\n")
    status, *headers = head.decode().split("\r\n")
    pairs = [tuple(line.split(": ", 1)) for line in headers]
    return httpx.Response(int(status.split()[1]), headers=pairs, content=body)  # type: ignore[arg-type]


def get(client: httpx.Client, path: str, **parameters: str) -> httpx.Response:
    """GET a path with these parameters, encoded by the client."""
    return client.get(path, params=parameters)


def post(client: httpx.Client, body: bytes | str) -> httpx.Response:
    """POST a body to /score as JSON, be it JSON or not."""
    content = body.encode() if isinstance(body, str) else body
    return client.post("/score", content=content, headers=JSON)


def assert_problem(
    response: httpx.Response, status: int, parameter: str | None = None
) -> dict[str, Any]:
    """Check that an error is of the one shape, and return it.

    Args:
        response: the answer.
        status: what it must be.
        parameter: what it must name; None: it blames no parameter.
    """
    assert response.status_code == status, f"{response.status_code}: {response.text[:500]}"
    assert response.headers["content-type"] == "application/problem+json"
    assert len(response.content) <= PROBLEM_LIMIT_BYTES
    problem: dict[str, Any] = json.loads(response.content)
    members = {"type", "title", "status", "detail", "errors", "request_id"}
    assert set(problem) - {"error"} == members  # the other one is for OpenAI's clients
    assert problem["type"] == "about:blank"
    assert problem["status"] == status
    assert problem["title"] == _TITLES.get(status, HTTPStatus(status).phrase)
    assert problem["detail"]
    assert problem["request_id"]
    assert problem["request_id"] == response.headers["x-request-id"]
    for error in problem["errors"]:
        assert set(error) == {"parameter", "message"}
        assert error["parameter"]
        assert error["message"]
    named = [error["parameter"] for error in problem["errors"]]
    if parameter is None:
        assert named == []
    else:
        assert parameter in named
        assert problem["errors"][0]["message"] in problem["detail"]
    if "error" in problem:
        expected = {"message": problem["detail"], "param": named[0] if named else None}
        expected["type"] = "invalid_request_error" if status < 500 else "server_error"
        assert problem["error"] == expected | {"code": problem["error"]["code"]}
    return problem

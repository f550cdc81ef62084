"""The end of the service: unready first, then no one else, then nothing; and never a loss."""

import fcntl
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import termios
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.service.conftest import (
    PATIENCE_S,
    ROOT,
    STOP_LIMIT_S,
    Serve,
    Service,
    assert_nothing_left,
    assert_problem,
    await_ready,
    end,
    exchange,
    free_port,
    kill,
    launch,
)

ONE = {"MODELS": "bigram", "DEFAULT_MODEL": "bigram"}
WORKERS = [1, pytest.param(2, marks=pytest.mark.slow)]
ASKED = "/generate?n=3&seed=1"
SLOW = b"POST /score HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\nContent-Length: "
WORDS = b'{"words": ["emma"]}'


def ask_to_end(service: Service) -> None:
    service.process.send_signal(signal.SIGTERM)


def await_unready(client: httpx.Client) -> httpx.Response:
    """What /readyz says once it is no 200."""
    deadline = time.monotonic() + STOP_LIMIT_S
    while (answer := client.get("/readyz")).status_code == 200:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return answer


@pytest.mark.parametrize("workers", WORKERS)
def test_at_sigterm_a_service_is_unready_and_answers_and_asks_to_be_left(
    serve: Serve, workers: int
) -> None:
    with serve(DRAIN_S=3, WORKERS=workers, **ONE) as service:
        expected = service.client.get(ASKED)
        assert "connection" not in expected.headers
        ask_to_end(service)
        unready = await_unready(service.client)
        assert "about to end" in assert_problem(unready, 503)["detail"]
        assert 1 <= int(unready.headers["retry-after"]) <= 3
        for _ in range(8):  # each on a connection of its own
            answer = service.client.get(ASKED)
            assert answer.content == expected.content
            assert answer.headers["connection"] == "close"
            assert service.client.get("/livez").status_code == 200
        assert service.process.wait(STOP_LIMIT_S) == 0
        with pytest.raises(httpx.ConnectError):
            service.client.get(ASKED)


@pytest.mark.parametrize("workers", WORKERS)
def test_a_request_that_has_begun_to_come_is_answered_before_the_end(
    serve: Serve, workers: int
) -> None:
    with (
        serve(WORKERS=workers, **ONE) as service,
        socket.create_connection(("127.0.0.1", service.port), timeout=PATIENCE_S) as first,
        socket.create_connection(("127.0.0.1", service.port), timeout=PATIENCE_S) as second,
    ):
        first.sendall(SLOW[:40])
        second.sendall(SLOW + b"%d\r\n\r\n" % len(WORDS) + WORDS[:4])
        assert service.client.get("/livez").status_code == 200
        ask_to_end(service)
        time.sleep(1)  # by now no one can connect any more
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", service.port), timeout=5)
        first.sendall(SLOW[40:] + b"%d\r\n\r\n" % len(WORDS) + WORDS)
        second.sendall(WORDS[4:])
        for connection in (first, second):
            assert connection.recv(12) == b"HTTP/1.1 200"
            received = b""
            while part := connection.recv(65536):
                received += part
            assert b"connection: close" in received
        assert service.process.wait(STOP_LIMIT_S) == 0


@pytest.mark.parametrize("workers", WORKERS)
def test_who_connects_just_before_the_end_is_not_reset(serve: Serve, workers: int) -> None:
    get = f"GET {ASKED} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n".encode()
    with serve(WORKERS=workers, **ONE) as service, ThreadPoolExecutor(8) as pool:
        lost, answered = [], []

        def ask_until_refused() -> None:
            while True:
                try:
                    received = exchange(service.port, get)
                except ConnectionRefusedError:
                    return
                (answered if received.startswith(b"HTTP/1.1 200") else lost).append(received)

        asking = [pool.submit(ask_until_refused) for _ in range(8)]
        time.sleep(0.5)
        ask_to_end(service)
        for each in asking:
            each.result()
        assert service.process.wait(STOP_LIMIT_S) == 0
    assert len(answered) > 8
    assert lost == []


@pytest.mark.parametrize("workers", WORKERS)
@pytest.mark.parametrize("again", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_a_second_signal_ends_it_at_once(
    tmp_path: Path, workers: int, again: signal.Signals
) -> None:
    log, port = tmp_path / "log", free_port()
    process = launch(log, PORT=port, DRAIN_S=300, WORKERS=workers, **ONE)
    try:
        base_url = f"http://127.0.0.1:{port}"
        with httpx.Client(base_url=base_url, timeout=PATIENCE_S, trust_env=False) as client:
            await_ready(client, process, log)
            process.send_signal(signal.SIGTERM)
            await_unready(client)
            process.send_signal(again)
            assert process.wait(STOP_LIMIT_S) == 128 + again
        assert_nothing_left(process.pid, log)
        assert "once more" in log.read_text()
    finally:
        kill(process.pid)


@pytest.mark.slow
def test_a_signal_to_all_its_processes_is_one_to_the_service(serve: Serve) -> None:
    with serve(DRAIN_S=1, WORKERS=2, SPARES=1, **ONE) as service:
        os.killpg(service.process.pid, signal.SIGTERM)  # as a service manager does
        await_unready(service.client)
        assert service.client.get(ASKED).status_code == 200
        assert service.process.wait(STOP_LIMIT_S) == 0


def caught(status: str) -> set[int]:
    """The signals that a process handles, by what /proc tells of it."""
    (mask,) = re.findall(r"^SigCgt:\s*([0-9a-f]+)$", status, re.MULTILINE)
    return {number for number in signal.valid_signals() if int(mask, 16) >> number - 1 & 1}


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the system has no such /proc")
@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("after_s", [0, 0.5, 1, 1.5, 2])
def test_sigterm_while_it_starts_ends_it_in_order(
    tmp_path: Path, workers: int, after_s: float
) -> None:
    process = launch(tmp_path / "log", PORT=free_port(), WORKERS=workers)
    status = Path(f"/proc/{process.pid}/status")
    while signal.SIGTERM not in caught(status.read_text()):
        time.sleep(0.01)  # before that there is no one to handle it
    time.sleep(after_s)
    end(process, tmp_path / "log")


@pytest.mark.skipif(sys.platform != "linux", reason="terminals differ")
def test_a_terminal_that_is_closed_ends_what_was_started_there() -> None:
    master, slave = pty.openpty()
    settings = {"PORT": free_port(), "POOL_NAMES": 0, "TREE_MEMORY_MB": 0, **ONE}
    process = subprocess.Popen(
        [sys.executable, "-m", "app"],
        cwd=ROOT,
        env=os.environ | {f"NAMEWRIGHT_{key}": str(value) for key, value in settings.items()},
        stdin=slave,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(slave)
    assert process.stderr
    try:
        for line in process.stderr:
            if b"listening on" in line:
                break
        process.send_signal(signal.SIGHUP)  # as anyone may: the terminal is there
        for line in process.stderr:
            if b"reloaded" in line:
                break
        assert process.poll() is None
        os.close(master)
        assert process.wait(STOP_LIMIT_S) == 0
    finally:
        process.kill()
        process.stderr.close()

"""Workers and their parent, when one of them is killed."""

import os
import signal
import time
from pathlib import Path

import httpx
import pytest

from tests.service.conftest import (
    START_LIMIT_S,
    STOP_LIMIT_S,
    assert_nothing_left,
    await_ready,
    free_port,
    launch,
    members,
)

SETTINGS = {"MODELS": "bigram", "DEFAULT_MODEL": "bigram", "WORKERS": 2, "POOL_NAMES": 0}


def workers(group: int) -> list[int]:
    """The server processes of a group, without their parent and multiprocessing's own."""
    commands = {pid: Path(f"/proc/{pid}/cmdline").read_bytes() for pid in members(group)}
    return [pid for pid, command in commands.items() if b"spawn_main" in command]


@pytest.mark.parametrize("ready", [True, False], ids=["serving", "starting"])
def test_no_worker_outlives_a_parent_that_was_killed(tmp_path: Path, ready: bool) -> None:
    log, port = tmp_path / "log", free_port()
    process = launch(log, PORT=port, **SETTINGS)
    deadline = time.monotonic() + START_LIMIT_S
    while len(workers(process.pid)) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    if ready:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
            await_ready(client, process, log)
            assert client.get("/generate?n=1").status_code == 200
    process.kill()
    process.wait(STOP_LIMIT_S)
    assert_nothing_left(process.pid, log)


def test_a_worker_that_was_killed_is_replaced_and_the_other_serves_on(tmp_path: Path) -> None:
    log, port = tmp_path / "log", free_port()
    process = launch(log, PORT=port, **SETTINGS)
    try:
        base_url = f"http://127.0.0.1:{port}"
        with httpx.Client(base_url=base_url, trust_env=False) as client:
            await_ready(client, process, log)
        deadline = time.monotonic() + START_LIMIT_S
        while log.read_text().count("Application startup complete") < 2:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        victim = workers(process.pid)[0]
        os.kill(victim, signal.SIGKILL)
        answered = 0
        while log.read_text().count("Application startup complete") < 3:
            assert time.monotonic() < deadline
            try:
                assert httpx.get(f"{base_url}/generate?n=1", trust_env=False).status_code == 200
                answered += 1
            except httpx.TransportError:
                assert answered == 0  # a connection that the dead one had
        assert answered
        assert victim not in workers(process.pid)
        assert len(workers(process.pid)) == 2
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(STOP_LIMIT_S) == 0
    assert_nothing_left(process.pid, log)

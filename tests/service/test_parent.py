"""Workers and their parent, when one of them is killed."""

import os
import signal
import time
from pathlib import Path

import httpx
import pytest

from tests.service import keyed
from tests.service.conftest import (
    PATIENCE_S,
    START_LIMIT_S,
    STOP_LIMIT_S,
    assert_nothing_left,
    await_ready,
    free_port,
    launch,
    members,
    serving,
)

SETTINGS = {"MODELS": "bigram", "DEFAULT_MODEL": "bigram", "WORKERS": 2, "POOL_NAMES": 0}


def workers(group: int) -> list[int]:
    """The server processes of a group, without their parent and multiprocessing's own."""
    commands = {pid: Path(f"/proc/{pid}/cmdline").read_bytes() for pid in members(group)}
    return [pid for pid, command in commands.items() if b"spawn_main" in command]


def await_line(log: Path, text: str, count: int) -> None:
    """Wait until the log has said something that often."""
    deadline = time.monotonic() + START_LIMIT_S
    while log.read_text().count(text) < count:
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)


@pytest.mark.parametrize("ready", [True, False], ids=["serving", "starting"])
def test_no_worker_outlives_a_parent_that_was_killed(tmp_path: Path, ready: bool) -> None:
    log, port = tmp_path / "log", free_port()
    process = launch(log, PORT=port, **SETTINGS)
    deadline = time.monotonic() + START_LIMIT_S
    while len(workers(process.pid)) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    if ready:
        with httpx.Client(
            base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_S, trust_env=False
        ) as client:
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
        with httpx.Client(base_url=base_url, timeout=PATIENCE_S, trust_env=False) as client:
            await_ready(client, process, log)
        await_line(log, "listening on", 2)
        deadline = time.monotonic() + START_LIMIT_S
        victim = workers(process.pid)[0]
        os.kill(victim, signal.SIGKILL)
        answered = 0
        while log.read_text().count("listening on") < 3:
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


def test_a_spare_takes_the_place_of_a_worker_that_was_killed_and_gets_a_successor(
    tmp_path: Path,
) -> None:
    log, port = tmp_path / "log", free_port()
    process = launch(log, PORT=port, **SETTINGS, SPARES=1)
    try:
        base_url = f"http://127.0.0.1:{port}"
        with httpx.Client(base_url=base_url, timeout=PATIENCE_S, trust_env=False) as client:
            await_ready(client, process, log)
        for round_ in range(3):
            await_line(log, "Waiting for application startup", 3 + round_)
            first, *_ = workers(process.pid)
            deadline = time.monotonic() + START_LIMIT_S
            while len(workers(process.pid)) < 3 or log.read_text().count("serving") < 3 + round_:
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.05)
            os.kill(first, signal.SIGKILL)
            await_line(log, "listening on", 3 + round_)
            for _ in range(3):
                assert httpx.get(f"{base_url}/generate?n=1", trust_env=False).status_code == 200
        assert log.read_text().count("has ended: by signal 9") == 3
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(STOP_LIMIT_S) == 0
    assert_nothing_left(process.pid, log)


def test_a_replacement_that_cannot_start_ends_no_worker_that_serves(tmp_path: Path) -> None:
    log, port, keys = tmp_path / "log", free_port(), tmp_path / "keys"
    keyed.replace(keys, keyed.ALICE)
    process = launch(log, PORT=port, API_KEYS_FILE=keys, **SETTINGS)
    try:
        base_url = f"http://127.0.0.1:{port}"
        with httpx.Client(base_url=base_url, timeout=PATIENCE_S, trust_env=False) as client:
            await_ready(client, process, log)
        await_line(log, "listening on", 2)
        keys.write_text("not a hash\n")
        os.kill(workers(process.pid)[0], signal.SIGKILL)
        await_line(log, "1 serve on", 1)
        for _ in range(3):
            answer = httpx.get(
                f"{base_url}/generate?n=1", headers=keyed.bearer(keyed.ALICE), trust_env=False
            )
            assert answer.status_code == 200
        keyed.replace(keys, keyed.ALICE)
        await_line(log, "listening on", 3)
        assert len(workers(process.pid)) == 2
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(STOP_LIMIT_S) == 0
    assert_nothing_left(process.pid, log)


@pytest.mark.slow
def test_a_worker_that_hangs_is_replaced(tmp_path: Path) -> None:
    with serving(tmp_path / "log", **SETTINGS) as service:
        await_line(service.log, "listening on", 2)
        hung = workers(service.process.pid)[0]
        os.kill(hung, signal.SIGSTOP)
        await_line(service.log, f"worker [{hung}] has hung for 30 s", 1)
        await_line(service.log, "listening on", 3)
        assert hung not in workers(service.process.pid)


@pytest.mark.slow
def test_no_worker_is_replaced_when_all_have_stood_still(tmp_path: Path) -> None:
    with serving(tmp_path / "log", **SETTINGS) as service:
        await_line(service.log, "listening on", 2)
        before = workers(service.process.pid)
        os.killpg(service.process.pid, signal.SIGSTOP)  # as a machine that is suspended
        time.sleep(35)
        os.killpg(service.process.pid, signal.SIGCONT)
        time.sleep(3)  # it has been looked at since
        assert service.client.get("/generate?n=1").status_code == 200
        assert workers(service.process.pid) == before

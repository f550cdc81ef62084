"""Replicas behind the balancer that are killed or hang: no request is lost with them."""

import json
import os
import shutil
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from tests.service.balancer import SETTINGS, asked, balancing
from tests.service.conftest import (
    JSON,
    PATIENCE_S,
    Service,
    await_ready,
    free_port,
    kill,
    launch,
    parse,
    serving,
)

CLIENTS = 8
SEEDS = 50

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("haproxy"), reason="haproxy is not installed"),
]


@contextmanager
def some_to_be_killed(
    folder: Path, number: int, silent_s: int = 30
) -> Iterator[tuple[Service, list[int], httpx.Client]]:
    """A replica that stays, the process groups of some that may be killed, and their balancer.

    Args:
        folder: for their files.
        number: of those that may be killed.
        silent_s: how long the balancer lets one be silent.
    """
    with ExitStack() as stack:
        stays = stack.enter_context(serving(folder / "stays", **SETTINGS))
        ports = [free_port() for _ in range(number)]
        groups = []
        for port in ports:
            log = folder / f"dies-{port}"
            dies = launch(log, PORT=port, **SETTINGS)
            groups.append(dies.pid)
            stack.callback(dies.wait)
            stack.callback(kill, dies.pid)
            with httpx.Client(
                base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_S, trust_env=False
            ) as direct:
                await_ready(direct, dies, log)
        client = stack.enter_context(balancing(folder, stays.port, *ports, silent_s=silent_s))
        yield stays, groups, client


def asked_by_all(client: httpx.Client, meanwhile: Callable[[], None]) -> list[tuple[int, bytes]]:
    """What CLIENTS that ask without a pause were answered, by seed, while something is done."""
    over = threading.Event()

    def ask(number: int) -> list[tuple[int, bytes]]:
        found = []
        while not over.is_set():
            seed = (number + len(found)) % SEEDS
            response = client.get(asked(seed))
            assert response.status_code == 200, response.text
            found.append((seed, response.content))
        return found

    with ThreadPoolExecutor(CLIENTS) as pool:
        asking = [pool.submit(ask, number) for number in range(CLIENTS)]
        meanwhile()
        over.set()
    return [each for future in asking for each in future.result()]


def test_bodies_that_come_slowly_are_put_again_to_another_replica(tmp_path: Path) -> None:
    body = json.dumps({"words": ["a" * 64] * 1000}).encode()
    head = b"POST /score HTTP/1.1\r\nHost: test\r\nConnection: close\r\n"
    head += b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
    with ExitStack() as stack:
        stays, (dies,), client = stack.enter_context(some_to_be_killed(tmp_path, 1))
        address = ("127.0.0.1", client.base_url.port or 0)
        connections = [
            stack.enter_context(socket.create_connection(address, timeout=PATIENCE_S))
            for _ in range(CLIENTS)
        ]
        os.killpg(dies, signal.SIGSTOP)  # some of them are its, and it begins no answer
        for connection in connections:
            connection.sendall(head)
        time.sleep(0.2)
        for part in (body[:1000], body[1000:]):
            for connection in connections:
                connection.sendall(part)
            time.sleep(0.1)
        os.killpg(dies, signal.SIGKILL)
        found = [parse(all_of(each)) for each in connections]
        expected = stays.client.post("/score", content=body, headers=JSON)
    assert expected.status_code == 200
    assert [each.status_code for each in found] == [200] * CLIENTS
    assert {each.content for each in found} == {expected.content}


@pytest.mark.parametrize("number", [1, 3])
def test_replicas_that_are_killed_at_once_take_no_request_with_them(
    tmp_path: Path, number: int
) -> None:
    with some_to_be_killed(tmp_path, number) as (stays, groups, client):
        expected = {seed: stays.client.get(asked(seed)).content for seed in range(SEEDS)}

        def kill_them() -> None:
            time.sleep(2)
            for group in groups:
                os.killpg(group, signal.SIGKILL)
            time.sleep(3)

        found = asked_by_all(client, kill_them)
    assert len(found) >= CLIENTS
    assert [seed for seed, content in found if content != expected[seed]] == []


def test_what_a_replica_that_hangs_had_is_asked_of_another(tmp_path: Path) -> None:
    with some_to_be_killed(tmp_path, 1, silent_s=3) as (stays, (hangs,), client):
        expected = {seed: stays.client.get(asked(seed)).content for seed in range(SEEDS)}

        def stop_it() -> None:
            time.sleep(1)
            os.killpg(hangs, signal.SIGSTOP)
            time.sleep(8)

        found = asked_by_all(client, stop_it)
    assert [seed for seed, content in found if content != expected[seed]] == []


def all_of(connection: socket.socket) -> bytes:
    """What comes, until it is closed."""
    received = b""
    while part := connection.recv(65536):
        received += part
    return received

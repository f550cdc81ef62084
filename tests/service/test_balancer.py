"""Replicas behind the balancer of docker-compose.yml: real HAProxy, real services."""

import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from benchmarks.balancer import CONFIGURATION, configuration
from tests.service.conftest import (
    PATIENCE_S,
    START_LIMIT_S,
    Service,
    assert_problem,
    await_ready,
    exchange,
    free_port,
    kill,
    launch,
    parse,
    serving,
)

SETTINGS = {"MODELS": "bigram", "DEFAULT_MODEL": "bigram"}
CLIENTS = 8
SEEDS = 50
JSON = {"Content-Type": "application/json"}

pytestmark = pytest.mark.skipif(not shutil.which("haproxy"), reason="haproxy is not installed")


@dataclass(frozen=True)
class Balanced:
    """Two replicas and what shares requests among them.

    Attributes:
        client: of the balancer.
        replicas: each of which can also be asked itself.
    """

    client: httpx.Client
    replicas: tuple[Service, Service]


@contextmanager
def balancing(
    folder: Path, *ports: int, ready: bool = True, silent_s: int = 30
) -> Iterator[httpx.Client]:
    """HAProxy as it is deployed, but for its port and for where its replicas are.

    Args:
        folder: for its files.
        ports: of the replicas.
        ready: whether to wait for an answer of one; else for any at all.
        silent_s: how long a replica may be silent.
    """
    port = free_port()
    (folder / "haproxy.cfg").write_text(configuration(port, ports, silent_s=silent_s))
    log = folder / "haproxy.log"
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            ["haproxy", "-db", "-f", str(folder / "haproxy.cfg")],
            stdout=subprocess.DEVNULL, stderr=stderr, start_new_session=True,
        )  # fmt: skip
    try:
        base_url = f"http://127.0.0.1:{port}"
        with httpx.Client(base_url=base_url, timeout=PATIENCE_S, trust_env=False) as client:
            if ready:
                await_ready(client, process, log)
            else:
                await_answer(client)
            yield client
    finally:
        kill(process.pid)
        process.wait()


def await_answer(client: httpx.Client) -> None:
    """Until something listens there, whatever it says."""
    deadline = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline:
        with suppress(httpx.ConnectError):
            client.get("/livez")
            return
        time.sleep(0.05)
    raise AssertionError("nothing listens")


@contextmanager
def balanced(folder: Path, **settings: object) -> Iterator[Balanced]:
    """Two replicas with these settings, behind a balancer that has seen them both."""
    with ExitStack() as stack:
        first, second = (
            stack.enter_context(serving(folder / f"log-{i}", **SETTINGS | settings)) for i in (0, 1)
        )
        client = stack.enter_context(balancing(folder, first.port, second.port))
        yield Balanced(client, (first, second))


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Balanced]:
    """Two replicas, one pair for all tests here."""
    with balanced(tmp_path_factory.mktemp("balanced")) as running:
        yield running


def answered(service: Service, path: str = "/generate") -> float:
    """How many requests for a path a replica has answered with a 200 so far."""
    lines = service.client.get("/metrics").text.splitlines()
    label = "namewright_requests_total{"
    return sum(
        float(line.rsplit(" ", 1)[1])
        for line in lines
        if line.startswith(label) and f'"{path}"' in line and '"200"' in line
    )


def test_haproxy_accepts_the_configuration_as_it_is() -> None:
    done = subprocess.run(
        ["haproxy", "-c", "-f", str(CONFIGURATION)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_requests_are_shared_and_names_the_same(two: Balanced) -> None:
    before = [answered(each) for each in two.replicas]
    paths = [f"/generate?n=3&temperature={1 + seed / 100}&seed={seed}" for seed in range(40)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(two.client.get, paths))
    assert {each.status_code for each in found} == {200}
    after = [answered(each) for each in two.replicas]
    assert sum(after) - sum(before) == len(paths)
    assert min(b - a for a, b in zip(before, after, strict=True)) > 0
    for replica in two.replicas:
        assert [replica.client.get(path).content for path in paths] == [
            each.content for each in found
        ]


def test_what_a_seed_gives_is_drawn_once(two: Balanced) -> None:
    path = "/generate?n=5&seed=11&format=json"
    first = two.client.get(path)
    before = sum(answered(each) for each in two.replicas)
    again = two.client.get(path)
    assert again.content == first.content
    assert "age" in again.headers
    known = two.client.get(path, headers={"If-None-Match": first.headers["etag"]})
    assert known.status_code == 304
    assert sum(answered(each) for each in two.replicas) == before


def test_every_answer_has_the_id_of_its_own_request(two: Balanced) -> None:
    path = "/generate?n=5&seed=13&format=json"
    for sent in ("one", "another"):
        answer = two.client.get(path, headers={"X-Request-ID": sent})
        assert answer.headers.get_list("x-request-id") == [sent]
    assert "age" in answer.headers
    drawn = [two.client.get(path, headers=each) for each in ({}, {}, {"X-Request-ID": "a b"})]
    ids = [each.headers["x-request-id"] for each in drawn]
    assert len({*ids, "one", "another", "a b"}) == 6
    assert all(len(each) == 36 for each in ids)


def test_what_is_drawn_anew_is_not_kept(two: Balanced) -> None:
    found = {two.client.get("/generate?n=5&format=json").text for _ in range(5)}
    assert len(found) == 5


def test_formats_of_one_address_are_not_taken_for_each_other(two: Balanced) -> None:
    path = "/generate?n=5&seed=12"
    kinds = ["application/json", "text/csv", "text/plain", "application/json", "text/csv"]
    found = [two.client.get(path, headers={"Accept": kind}) for kind in kinds]
    assert [each.headers["content-type"].partition(";")[0] for each in found] == kinds


def test_faults_come_as_the_service_tells_them(two: Balanced) -> None:
    through = two.client.get("/generate?n=0")
    direct = two.replicas[0].client.get("/generate?n=0")
    assert through.status_code == direct.status_code == 422
    assert through.json()["errors"] == direct.json()["errors"]
    assert through.headers["content-type"] == "application/problem+json"


def test_what_the_balancer_itself_refuses_has_the_shape_of_the_service(tmp_path: Path) -> None:
    with balancing(tmp_path, free_port(), ready=False) as client:
        absent = client.get("/generate")
        assert_problem(absent, 503)
        assert int(absent.headers["retry-after"]) > 0


@pytest.mark.slow
def test_a_body_that_does_not_come_is_refused_in_the_shape_of_the_service(two: Balanced) -> None:
    sent = b"POST /score HTTP/1.1\r\nHost: test\r\nContent-Length: 2\r\n\r\n{"
    assert_problem(parse(exchange(two.client.base_url.port or 0, sent)), 408)


def test_streams_come_through_as_they_are(two: Balanced) -> None:
    path = "/generate/stream?n=20000&seed=5"
    assert two.client.get(path).content == two.replicas[0].client.get(path).content


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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_what_a_replica_that_hangs_had_is_asked_of_another(tmp_path: Path) -> None:
    with some_to_be_killed(tmp_path, 1, silent_s=3) as (stays, (hangs,), client):
        expected = {seed: stays.client.get(asked(seed)).content for seed in range(SEEDS)}

        def stop_it() -> None:
            time.sleep(1)
            os.killpg(hangs, signal.SIGSTOP)
            time.sleep(8)

        found = asked_by_all(client, stop_it)
    assert [seed for seed, content in found if content != expected[seed]] == []


@pytest.mark.slow
def test_who_asks_is_whose_connection_it_is_and_not_who_he_says(tmp_path: Path) -> None:
    with serving(tmp_path / "log", RATE_LIMIT="3/hour", **SETTINGS) as replica:
        with balancing(tmp_path, replica.port) as client:
            said = [{"X-Forwarded-For": f"192.0.2.{i}"} for i in range(4)]
            found = [client.get(asked(1), headers=each).status_code for each in said]
        assert found == [200, 200, 200, 429]


def all_of(connection: socket.socket) -> bytes:
    """What comes, until it is closed."""
    received = b""
    while part := connection.recv(65536):
        received += part
    return received


def asked(seed: int) -> str:
    """An address that no cache keeps, for its names vary by Accept."""
    return f"/generate?n=20&seed={seed}"

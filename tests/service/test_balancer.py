"""Replicas behind the balancer of docker-compose.yml: real HAProxy, real services."""

import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from benchmarks.balancer import CONFIGURATION
from tests.service.balancer import SETTINGS, asked, balancing
from tests.service.conftest import Service, assert_problem, exchange, free_port, parse, serving

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


@pytest.mark.slow
def test_who_asks_is_whose_connection_it_is_and_not_who_he_says(tmp_path: Path) -> None:
    with serving(tmp_path / "log", RATE_LIMIT="3/hour", **SETTINGS) as replica:
        with balancing(tmp_path, replica.port) as client:
            said = [{"X-Forwarded-For": f"192.0.2.{i}"} for i in range(4)]
            found = [client.get(asked(1), headers=each).status_code for each in said]
        assert found == [200, 200, 200, 429]

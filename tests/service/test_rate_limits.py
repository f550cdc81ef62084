"""Rate limits on a real server: by address, by key, in memory, in a real Redis."""

import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.service.conftest import PATIENCE_S, START_LIMIT_S, Serve, assert_problem, free_port
from tests.service.keyed import ALICE, ALONE, BOB, bearer, entry

QUOTA = {"RATE_LIMIT": "5/hour", "POOL_NAMES": 0}
OPEN = ["/", "/livez", "/readyz", "/static/style.css", "/openapi.json"]


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[str]:
    """The address of a Redis of one's own."""
    if not shutil.which("redis-server"):
        pytest.skip("redis-server is not installed")
    socket = tmp_path / "redis"
    process = subprocess.Popen(
        ["redis-server", "--port", "0", "--unixsocket", str(socket), "--save", ""],
        cwd=tmp_path, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    deadline = time.monotonic() + START_LIMIT_S
    while not socket.exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    yield f"redis+unix://{socket}"
    process.kill()
    process.wait()


def statuses(client: httpx.Client, count: int, **headers: str) -> Counter[int]:
    return Counter(client.get("/generate?n=1", headers=headers).status_code for _ in range(count))


def test_who_asks_too_often_is_told_when_to_come_again(serve: Serve) -> None:
    with serve(**ALONE, POOL_NAMES=0, RATE_LIMIT="100/hour;2/second") as service:
        answers = [service.client.get("/generate?n=1") for _ in range(8)]
        refused = [each for each in answers if each.status_code == 429]
        assert refused
        for each in refused:
            assert "too many requests" in assert_problem(each, 429)["detail"]
            assert int(each.headers["retry-after"]) == 1
            assert each.headers["cache-control"] == "no-store"
        policy = '"per-1-s";q=2;w=1, "per-3600-s";q=100;w=3600'
        assert {each.headers["ratelimit-policy"] for each in answers} == {policy}
        assert answers[0].headers["ratelimit"].startswith('"per-1-s";r=1;t=1, "per-3600-s";r=99;')
        passed = len(answers) - len(refused)
        time.sleep(2.1)
        again = service.client.get("/generate?n=1")
        assert again.status_code == 200
        # What was refused for the second has cost nothing of the hour.
        assert f'"per-3600-s";r={100 - passed - 1};' in again.headers["ratelimit"]


def test_the_page_and_probes_are_free_of_limits(serve: Serve) -> None:
    with serve(**ALONE, **QUOTA) as service:
        assert statuses(service.client, 7) == {200: 5, 429: 2}
        for path in OPEN:
            answer = service.client.get(path)
            assert answer.status_code == 200
            assert "ratelimit-policy" not in answer.headers


def test_each_key_has_its_own_quota(serve: Serve) -> None:
    keys = f"{entry(ALICE)},{entry(BOB)}"
    with serve(**ALONE, **QUOTA, API_KEYS=keys) as service:
        assert statuses(service.client, 6, **bearer(ALICE)) == {200: 5, 429: 1}
        assert statuses(service.client, 5, **bearer(BOB)) == {200: 5}
        assert statuses(service.client, 3) == {401: 3}


def test_workers_share_a_quota_in_redis(serve: Serve, redis: str) -> None:
    with serve(**ALONE, **QUOTA, WORKERS=2, RATE_LIMIT_STORAGE=redis) as service:
        found: Counter[int] = Counter()
        for _ in range(20):  # a connection each, so that both workers are asked
            with httpx.Client(
                base_url=service.client.base_url, timeout=PATIENCE_S, trust_env=False
            ) as fresh:
                found += statuses(fresh, 1)
        assert found == {200: 5, 429: 15}


def test_workers_that_share_no_memory_are_warned_of(serve: Serve) -> None:
    with serve(**ALONE, **QUOTA, WORKERS=2) as service:
        assert statuses(service.client, 1) == {200: 1}
        assert "holds for each of the 2 workers alone" in service.log.read_text()


def test_a_redis_that_is_gone_stops_no_one_and_the_log_says_so(serve: Serve) -> None:
    nowhere = f"redis://127.0.0.1:{free_port()}"
    with serve(**ALONE, **QUOTA, RATE_LIMIT_STORAGE=nowhere) as service:
        assert statuses(service.client, 8) == {200: 8}
        log = service.log.read_text()
        assert log.count("no rate limits: their storage fails") == 1
        assert "Traceback" not in log


def test_refusals_are_counted_by_their_cause(serve: Serve) -> None:
    with serve(**ALONE, **QUOTA, METRICS_PORT=(port := free_port())) as service:
        assert statuses(service.client, 7) == {200: 5, 429: 2}
        told = httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).text
        assert 'namewright_rejections_total{cause="rate_limit"} 2.0' in told

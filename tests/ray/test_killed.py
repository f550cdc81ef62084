"""Replicas that die, or hang: who asks for names does not notice."""

import asyncio
import json
import os
import random
import signal
from collections.abc import Iterator
from contextlib import suppress

import httpx
import pytest
import uvloop

from tests.faults.ledger import Ledger
from tests.faults.load import Load
from tests.faults.questions import Question, ask, mixed
from tests.ray.cluster import Cluster
from tests.service.conftest import JSON, Service

pytestmark = pytest.mark.ray

Name = tuple[int, str]
"""Its index and itself."""

CONNECTIONS = 32
KILLS = 3
HELD_S = 0.3
"""In which requests reach a replica that is stopped, and are there when it is killed."""


def posted(plain: Service) -> Iterator[Question]:
    """Bodies of all sizes up to nearly the largest, which is more than HAProxy's own buffer."""
    for words in (1, 40, 1000):
        body = '{"words": [' + ", ".join(['"annabella"'] * words) + "]" + " " * 100 * words + "}"
        answer = plain.client.post("/score", content=body, headers=JSON)
        assert answer.status_code == 200
        head = f"POST /score HTTP/1.1\r\nHost: test\r\nContent-Length: {len(body)}\r\n"
        head += "Content-Type: application/json\r\n\r\n"
        yield Question("/score", (head + body).encode(), answer.content)


@pytest.fixture(scope="module")
def questions(plain: Service) -> list[Question]:
    """Of all kinds, with their answers."""
    asked = ask(plain.port, mixed(400))
    posts = list(posted(plain)) * 2
    for place, question in enumerate(posts):
        asked.insert(60 * place, question)
    return asked


def test_no_request_fails_when_replicas_are_killed_under_load_and_they_come_back(
    cluster: Cluster, questions: list[Question]
) -> None:
    ledger = Ledger(questions)
    generator = random.Random(1)

    async def run() -> None:
        async with Load(cluster.port, ledger, connections=CONNECTIONS) as load:
            for _ in range(KILLS):
                await asyncio.sleep(1)
                victim = generator.choice(cluster.replicas).pid
                os.kill(victim, signal.SIGSTOP)
                await asyncio.sleep(HELD_S)
                os.kill(victim, signal.SIGKILL)
                before = ledger.asked
                await asyncio.to_thread(cluster.await_replicas, 2, victim)
                assert ledger.asked > before
            assert load.under_way

    uvloop.run(run())
    ledger.assert_all_answered()
    assert len(ledger.series[200]) > KILLS * CONNECTIONS


def test_a_stream_that_is_cut_with_its_replica_goes_on_where_it_was(
    cluster: Cluster, plain: Service
) -> None:
    number = 200_000

    def read(client: httpx.Client, n: int, offset: int = 0, kill_after: int = 0) -> list[Name]:
        """The names of a stream, as far as it comes."""
        path = f"/generate/stream?seed=7&model=bigram&n={n}&offset={offset}"
        found: list[Name] = []
        with suppress(httpx.RemoteProtocolError), client.stream("GET", path) as got:
            for line in got.iter_lines():
                told = json.loads(line)
                if "index" in told:
                    found.append((told["index"], told["name"]))
                if kill_after and len(found) == kill_after:
                    (victim,) = busy(cluster)
                    os.kill(victim, signal.SIGKILL)
        return found

    expected = read(plain.client, number)
    assert len(expected) == number
    cluster.await_replicas(2)
    begun = read(cluster.client, number, kill_after=10)
    assert 10 <= len(begun) < number
    going_on = read(cluster.client, number - len(begun), offset=begun[-1][0] + 1)
    assert begun + going_on == expected


def busy(cluster: Cluster) -> list[int]:
    """The processes that answer something else than the question for metrics."""
    found = []
    for replica in cluster.replicas:
        with cluster.client_of(replica) as client:
            if "\nnamewright_requests_under_way 2.0\n" in client.get("/metrics").text:
                found.append(replica.pid)
    return found

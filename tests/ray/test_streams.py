"""Streams through HAProxy: at the pace of who reads them, and no longer than that."""

import json
import re
import time
from collections.abc import Callable

import pytest

from tests.ray.cluster import Cluster

pytestmark = pytest.mark.ray

LIMIT_S = 60
STREAM = "/generate/stream?seed=7&model=bigram"


def metric(cluster: Cluster, name: str) -> float:
    """The sum over all replicas."""
    values = []
    for replica in cluster.replicas:
        with cluster.client_of(replica) as client:
            text = client.get("/metrics").text
        values += re.findall(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
    return sum(map(float, values))


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def drawn(cluster: Cluster) -> float:
    return metric(cluster, 'namewright_names_total{model="bigram"}')


def under_way(cluster: Cluster) -> float:
    """But for the questions for metrics themselves, one a replica."""
    return metric(cluster, "namewright_requests_under_way") - len(cluster.replicas)


def test_names_are_drawn_as_they_are_read_and_no_more_once_the_client_has_gone(
    cluster: Cluster,
) -> None:
    before = drawn(cluster)
    with cluster.client.stream("GET", STREAM) as response:
        lines = response.iter_lines()
        assert json.loads(next(lines))["index"] == 0
        until(lambda: under_way(cluster) == 1)

        def at_rest() -> bool:
            """Buffers are full, and nothing is drawn ahead of them."""
            counted = drawn(cluster)
            time.sleep(2)
            return drawn(cluster) == counted

        until(at_rest)
        ahead = drawn(cluster) - before
        for _ in range(int(ahead)):  # what waited, and room for more
            next(lines)
        until(lambda: drawn(cluster) > before + ahead)
    until(lambda: under_way(cluster) == 0)

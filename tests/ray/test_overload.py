"""One replica that has too much to do: it says so, and Serve adds another."""

import asyncio
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import uvloop

from tests.faults.ledger import Ledger
from tests.faults.load import Load
from tests.faults.questions import Question, get
from tests.ray.cluster import Cluster, deployed

pytestmark = pytest.mark.ray

CONNECTIONS = 64
RATE = 60.0
"""Of 1,000 names each a second: more than one replica, or two, can draw."""
TIMEOUT_S = 10
SCALING = {
    "min_replicas": 1,
    "max_replicas": 2,
    "target_ongoing_requests": 1,
    "upscale_delay_s": 1,
    "look_back_period_s": 15,  # replicas tell of themselves every 10 s
    "downscale_delay_s": 3600,
}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """One replica with a short queue, which may become two."""
    scaling = {"autoscaling_config": SCALING}
    silence = {"ray_serve_haproxy_timeout_server_s": TIMEOUT_S}
    with deployed(1, scaling, QUEUE_SIZE=4, MODELS="gru-ngram", **silence) as running:
        yield running


def test_what_is_too_much_is_refused_in_the_one_shape_until_there_is_another_replica(
    cluster: Cluster,
) -> None:
    paths = [f"/generate?n=1000&seed={seed}" for seed in range(1000)]
    ledger = Ledger([Question(path, get(path)) for path in paths])
    assert len(cluster.replicas) == 1

    async def run() -> None:
        async with Load(cluster.port, ledger, connections=CONNECTIONS, rate=RATE):
            await asyncio.to_thread(cluster.await_replicas, 2)

    uvloop.run(run())
    ledger.assert_sound()
    assert set(ledger.counts) == {200, 503}, ledger
    assert not ledger.lost, ledger


def test_requests_of_a_replica_that_hangs_are_asked_of_another(cluster: Cluster) -> None:
    cluster.await_replicas(2)
    hung, _ = cluster.replicas
    os.kill(hung.pid, signal.SIGSTOP)
    try:
        with ThreadPoolExecutor(4) as pool:
            paths = [f"/generate?n=20&seed={seed}" for seed in range(16)]
            answers = list(pool.map(cluster.client.get, paths))
    finally:
        os.kill(hung.pid, signal.SIGCONT)
    assert [each.status_code for each in answers] == [200] * len(answers)

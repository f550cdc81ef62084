"""Processes that are killed while they serve: what they had under way is lost, and no more."""

import asyncio
import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvloop

from tests.faults.connection import Connection, Request
from tests.faults.ledger import Ledger, Loss, percentile
from tests.faults.load import Load
from tests.faults.questions import Known
from tests.faults.report import Report
from tests.faults.scale import scaled
from tests.service.conftest import START_LIMIT_S, free_port, kill, launch, members
from tests.service.test_parent import workers

TWO = {"WORKERS": 2, "SPARES": 1, "MODELS": "gru-ngram", "LOG_LEVEL": "info"}
RATE = 60.0
"""Requests a second: there are always some under way, and there is time to start processes."""
CONNECTIONS = 16
_TCP = Path("/proc/net/tcp")


class PortedLoad(Load):
    """A load that knows on which of its ports requests were lost."""

    lost_ports: set[int]

    def ended(self, connection: Connection, request: Request | None, loss: Loss) -> None:
        """Remember the port."""
        if request is not None:
            self.lost_ports.add(connection.port)
        super().ended(connection, request, loss)


def client_ports(pid: int, port: int) -> set[int]:
    """Of the clients whose connections a process holds."""
    inodes = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        target = os.readlink(descriptor)
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    rows = [line.split() for line in _TCP.read_text().splitlines()[1:]]
    own = [row for row in rows if row[9] in inodes and int(row[1].split(":")[1], 16) == port]
    return {int(row[2].split(":")[1], 16) for row in own} - {0}  # that of the listener


async def until_logged(log: Path, text: str, count: int) -> float:
    """Wait until the log has something that often; returns when, by time.perf_counter."""
    deadline = time.perf_counter() + START_LIMIT_S
    while log.read_text().count(text) < count:
        assert time.perf_counter() < deadline, log.read_text()[-3000:]
        await asyncio.sleep(0.005)
    return time.perf_counter()


@contextmanager
def launched(log: Path, port: int, **settings: object) -> "Iterator[subprocess.Popen[bytes]]":
    """A service that may be killed within; nothing of it is left afterwards."""
    process = launch(log, PORT=port, **settings)
    try:
        yield process
    finally:
        kill(process.pid)
        process.wait()


@pytest.mark.slow
def test_a_worker_that_is_killed_loses_its_own_requests_alone_and_is_replaced_at_once(
    tmp_path: Path, known: Known, report: Report
) -> None:
    log, port, kills = tmp_path / "log", free_port(), scaled(100, least=3)
    ledger, took_s, own = Ledger(known.distinct), [], 0
    generator = random.Random(1)

    async def run(group: int) -> None:
        nonlocal own
        await until_logged(log, "listening on", 2)
        async with PortedLoad(port, ledger, connections=CONNECTIONS, rate=RATE) as load:
            for number in range(kills):
                await until_logged(log, "serving gru-ngram", 3 + number)  # the spare is there
                await asyncio.sleep(generator.uniform(0.2, 0.7))
                serving = [pid for pid in workers(group) if client_ports(pid, port)]
                victim = generator.choice(serving)
                load.lost_ports = set()
                os.kill(victim, signal.SIGSTOP)  # so that what it holds is known
                held = client_ports(victim, port)
                killed = time.perf_counter()
                os.kill(victim, signal.SIGKILL)
                took_s.append(await until_logged(log, "listening on", 3 + number) - killed)
                await asyncio.sleep(0.1)
                assert load.lost_ports <= held, (load.lost_ports, held)
                own += len(load.lost_ports)

    with launched(log, port, **TWO) as process:
        uvloop.run(run(process.pid))
    report.add("kills", kills, "100")
    report.add_ledger(ledger)
    report.add("lost, of the killed workers' own", own)
    report.add("lost, of others", ledger.lost.total() - own, "0")
    report.add("replaced after, s: p50", round(percentile(took_s, 50), 3))
    report.add("replaced after, s: most", round(max(took_s), 3), "<= 2")
    ledger.assert_sound()
    assert set(ledger.counts) == {200}, ledger
    assert ledger.lost.total() == own, ledger


@pytest.mark.slow
def test_a_parent_that_is_killed_leaves_no_worker(
    tmp_path: Path, known: Known, report: Report
) -> None:
    port, kills = free_port(), scaled(100, least=2)
    ledger, took_s = Ledger(known.distinct), []
    generator = random.Random(2)

    async def run() -> None:
        async with Load(port, ledger, connections=CONNECTIONS, rate=RATE):
            for number in range(kills):
                log = tmp_path / f"log-{number}"
                with launched(log, port, **TWO) as process:
                    await until_logged(log, "listening on", 2)
                    await asyncio.sleep(generator.uniform(0.2, 1.5))
                    killed = time.perf_counter()
                    process.kill()
                    while left := members(process.pid):
                        assert time.perf_counter() < killed + START_LIMIT_S, left
                        await asyncio.sleep(0.005)
                    took_s.append(time.perf_counter() - killed)

    uvloop.run(run())
    report.add("kills", kills, "100")
    report.add_ledger(ledger)
    report.add("lost, not done in time", ledger.lost.total())
    report.add("no worker left after, s: p50", round(percentile(took_s, 50), 3))
    report.add("no worker left after, s: most", round(max(took_s), 3), "<= 2")
    ledger.assert_sound()
    assert set(ledger.counts) <= {200}, ledger

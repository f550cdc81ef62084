"""Services that are asked to end, at any moment: no request is lost, and nothing is left."""

import asyncio
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest
import uvloop

from tests.faults.ledger import Ledger, percentile
from tests.faults.load import Load
from tests.faults.questions import Known
from tests.faults.report import Report
from tests.faults.scale import scaled
from tests.faults.test_killed import CONNECTIONS, RATE, TWO, launched, until_logged
from tests.service.conftest import START_LIMIT_S, free_port, members

ALONE = TWO | {"WORKERS": 1}
DRAIN_S = 1.0


async def await_end(process: "subprocess.Popen[bytes]") -> float:
    """Ask a service to end, and wait until all of it has; returns the seconds that it took."""
    asked = time.perf_counter()
    process.terminate()
    while process.poll() is None or members(process.pid):
        assert time.perf_counter() < asked + START_LIMIT_S
        await asyncio.sleep(0.005)
    # By the signal itself: there was no Python yet to handle it.
    assert process.returncode in (0, -signal.SIGTERM)
    return time.perf_counter() - asked


def report_ends(report: Report, took_s: list[float]) -> None:
    """How often, and how long it took."""
    report.add("ends", len(took_s), "100")
    report.add("ended after, s: p50", round(percentile(took_s, 50), 2))
    report.add("ended after, s: most", round(max(took_s), 2), "<= 30")


@pytest.mark.slow
def test_a_service_that_is_asked_to_end_under_load_loses_no_request(
    tmp_path: Path, known: Known, report: Report
) -> None:
    port, took_s = free_port(), []
    ledger, generator = Ledger(known.distinct), random.Random(3)

    async def run() -> None:
        async with Load(port, ledger, connections=CONNECTIONS, rate=RATE):
            for number in range(scaled(100, least=2)):
                settings, log = (ALONE, TWO)[number % 2], tmp_path / f"log-{number}"
                with launched(log, port, DRAIN_S=DRAIN_S, **settings) as process:
                    await until_logged(log, "listening on", settings["WORKERS"])
                    await asyncio.sleep(generator.uniform(0.1, 1.0))
                    took_s.append(await await_end(process))

    uvloop.run(run())
    report_ends(report, took_s)
    report.add_ledger(ledger)
    report.add("lost", ledger.lost.total(), "0")
    ledger.assert_sound()
    assert set(ledger.counts) == {200}, ledger
    assert not ledger.lost, ledger


@pytest.mark.slow
def test_a_service_that_is_asked_to_end_while_it_starts_ends_in_order(
    tmp_path: Path, known: Known, report: Report
) -> None:
    port, took_s = free_port(), []
    ledger, generator = Ledger(known.distinct), random.Random(4)

    async def run() -> None:
        async with Load(port, ledger, connections=CONNECTIONS, rate=RATE):
            for number in range(scaled(100, least=4)):
                settings, log = (ALONE, TWO)[number % 2], tmp_path / f"log-{number}"
                with launched(log, port, DRAIN_S=0, **settings) as process:
                    await asyncio.sleep(generator.uniform(0.2, 4))
                    took_s.append(await await_end(process))

    uvloop.run(run())
    report_ends(report, took_s)
    report.add_ledger(ledger)
    report.add("lost", ledger.lost.total(), "0")
    ledger.assert_sound()
    assert set(ledger.counts) <= {200}, ledger
    assert not ledger.lost, ledger

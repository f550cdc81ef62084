"""Load that the service can bear, for long: every answer comes, is right, and leaves nothing."""

import asyncio

import pytest
import uvloop

from tests.faults.ledger import Ledger
from tests.faults.load import Load
from tests.faults.processes import Usage, let_go, rest
from tests.faults.questions import Known
from tests.faults.report import Report
from tests.faults.saturation import saturate
from tests.faults.scale import SCALE, scaled, scaled_s
from tests.service.conftest import Serve, Service
from tests.service.test_metrics import scrape

SHARE = 0.7
SOAKED_MB = 10
SAMPLES = 60
A_CONNECTION = 0.8
"""Requests a second on each of the soak's: uvicorn closes those that are idle for 5 s."""


@pytest.mark.slow
def test_load_below_saturation_loses_nothing(serve: Serve, known: Known, report: Report) -> None:
    with serve() as service:
        rest(service, report)
        ledger = Ledger(known.distinct)

        async def run() -> float:
            peak = await saturate(service.port, known.distinct, scaled_s(10, least=2))
            async with Load(service.port, ledger, connections=64, rate=SHARE * peak):
                await asyncio.sleep(scaled_s(300, least=2))
            return peak

        report.add("saturation, requests/s", round(uvloop.run(run())))
        report.add_ledger(ledger)
        report.add("lost or refused", ledger.asked - ledger.counts[200] - ledger.unsent, "0")
        ledger.assert_all_answered()


def kept_mb(service: Service) -> float:
    """Of distributions that the models keep, which grow up to a limit that is a setting."""
    samples = scrape(service.client).items()
    return sum(value for (name, _), value in samples if name == "namewright_tree_bytes") / 1e6


def report_soak(report: Report, samples: list[Usage]) -> None:
    """What changed from when the first sixth had passed."""
    settled = samples[len(samples) // 6 :]
    growth = settled[-1].resident_mb - settled[0].resident_mb
    report.add("memory, MB", ", ".join(f"{each.resident_mb:.1f}" for each in samples[::6]))
    report.add("growth after the first sixth, MB", round(growth, 1), f"<= {SOAKED_MB}")
    for name in ("descriptors", "threads"):
        values = [getattr(each, name) for each in settled]
        report.add(name, f"{min(values)} to {max(values)}", "flat")
        assert min(values) == max(values), values
    if SCALE >= 1:
        assert growth <= SOAKED_MB, samples


@pytest.mark.slow
def test_a_soak_of_half_an_hour_leaves_nothing_behind(
    serve: Serve, known: Known, report: Report
) -> None:
    connections = scaled(256, least=16)
    with serve() as service:
        rest(service, report)
        report.add("kept distributions before, MB", round(kept_mb(service), 1))
        let_go(service)
        ledger, samples = Ledger(known.mixed), []

        async def run() -> None:
            rate = A_CONNECTION * connections
            async with Load(service.port, ledger, connections=connections, rate=rate):
                for _ in range(SAMPLES):
                    await asyncio.sleep(scaled_s(1800, least=6) / SAMPLES)
                    samples.append(Usage.of(service.process.pid))

        uvloop.run(run())
        report.add("kept distributions after, MB", round(kept_mb(service), 1))
        report.add_ledger(ledger)
        report_soak(report, samples)  # first, so that it is told in any case
        ledger.assert_all_answered()

"""Four times what the service can do: it does as much as ever, and says so to the others."""

import asyncio
import time

import pytest
import uvloop

from app.settings import Settings
from tests.faults.ledger import Ledger, percentile
from tests.faults.load import Load
from tests.faults.processes import rest
from tests.faults.questions import Known, Question, get
from tests.faults.report import Report
from tests.faults.saturation import probe, recovered_at, saturate
from tests.faults.scale import FULL, scaled_s
from tests.service.conftest import Serve

TIMES = 4
CROWD = 1000
"""Connections, however small the scale is: fewer may all find a place in the queue."""
QUEUE_SIZE = Settings.model_fields["queue_size"].default if FULL else 64
LIVEZ = [Question("/livez", get("/livez"), b'{"status":"alive"}')]
A_FLOOD = 4000.0
"""Requests a second, too many for a service that could not be measured for long."""
A_SECOND = 20.0
"""Requests of the probe that knows how fast the service is at rest."""


async def overload(port: int, known: Known, report: Report) -> None:
    """All of it, from rest to rest."""
    peak = await saturate(port, known.distinct, scaled_s(10, least=2))
    rate = TIMES * peak if FULL else max(TIMES * peak, A_FLOOD)
    await asyncio.sleep(scaled_s(5))
    before = await probe(port, known.distinct, scaled_s(20), A_SECOND)
    level_s = percentile(before.series[200].seconds, 99)
    crowd, livez = Ledger(known.distinct), Ledger(LIVEZ)
    async with (
        Load(port, livez, connections=1, rate=10),
        Load(port, crowd, connections=CROWD, rate=rate),
    ):
        began = time.perf_counter()
        await asyncio.sleep(scaled_s(120, least=3))
        over = time.perf_counter()
    # The last of the crowd have been answered by now; their time counts too.
    after = await probe(port, known.distinct, scaled_s(10, least=2), A_SECOND)
    goodput = crowd.series[200].between(began, over) / (over - began)
    back = recovered_at(after.series[200], level_s)

    report.add("saturation, requests/s", round(peak))
    report.add("at rest: p99, ms", round(level_s * 1000, 1))
    report.add_ledger(crowd)
    refused = crowd.series[503]
    for since, seconds, asked in [("sent", refused.waited, "<= 100"), ("due", refused.seconds, "")]:
        p99_ms = round(percentile(seconds, 99) * 1000, 1) if seconds else "none"
        report.add(f"refusals, from when {since}: p99, ms", p99_ms, asked)
    report.add("goodput, of saturation", round(goodput / peak, 2), ">= 0.9")
    report.add_ledger(livez, "/livez", "<= 50")
    report.add("as at rest after, s", round(back - over, 2) if back else "never", "<= 2")

    crowd.assert_sound()
    assert set(crowd.counts) == {200, 503}, crowd
    assert not crowd.lost, crowd
    livez.assert_all_answered()
    after.assert_all_answered()


@pytest.mark.slow
def test_overload_is_refused_and_soon_forgotten(serve: Serve, known: Known, report: Report) -> None:
    with serve(QUEUE_SIZE=QUEUE_SIZE) as service:
        rest(service, report)
        uvloop.run(overload(service.port, known, report))

"""How much a service can do, and how fast it is, to compare with later."""

import asyncio
import time
from collections.abc import Sequence

from tests.faults.ledger import Ledger, Series, percentile
from tests.faults.load import Load
from tests.faults.questions import Question

_LIKE_BEFORE = 5
"""Answers of which the median counts as a level."""


async def saturate(port: int, questions: Sequence[Question], seconds: float) -> float:
    """Answers a second to 64 connections that wait for nothing else, after a first second."""
    ledger = Ledger(questions)
    async with Load(port, ledger, connections=64):
        await asyncio.sleep(1)
        began = time.perf_counter()
        await asyncio.sleep(seconds)
        ended = time.perf_counter()
    ledger.assert_all_answered()
    return ledger.series[200].between(began, ended) / (ended - began)


async def probe(
    port: int, questions: Sequence[Question], seconds: float, rate: float, connections: int = 2
) -> Ledger:
    """The accounts of a few requests a second."""
    ledger = Ledger(questions)
    async with Load(port, ledger, connections=connections, rate=rate):
        await asyncio.sleep(seconds)
    return ledger


def recovered_at(series: Series, level_s: float) -> float | None:
    """When answers took no longer than `level_s` again, half of a few; None: they never did."""
    for last in range(_LIKE_BEFORE, len(series) + 1):
        if percentile(series.seconds[last - _LIKE_BEFORE : last], 50) <= level_s:
            return series.ended[last - _LIKE_BEFORE]
    return None

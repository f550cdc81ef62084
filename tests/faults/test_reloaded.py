"""Checkpoints that are exchanged a thousand times under load, sound ones and damaged ones."""

import asyncio
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import uvloop

from models.storage import write_folder
from tests.exact import CHECKPOINTS
from tests.faults.ledger import Ledger, percentile
from tests.faults.load import Load
from tests.faults.processes import Usage
from tests.faults.questions import Known, Question, ask
from tests.faults.report import Report
from tests.faults.scale import scaled
from tests.faults.test_killed import CONNECTIONS, RATE, until_logged
from tests.service.conftest import Serve, Service
from tests.service.test_startup import flip_a_bit, read_files

ARCHITECTURES = ("bigram", "gru")
DONE, FAILED = "INFO:     reloaded:", "ERROR:    not reloaded"


@pytest.fixture
def catalogue(tmp_path: Path) -> Path:
    """The default model, which never changes, and one that does."""
    folder = tmp_path / "checkpoints"
    write_folder(folder / "gru-ngram", read_files(CHECKPOINTS / "gru-ngram"))
    put(folder, 0)
    return folder


def put(catalogue: Path, number: int) -> None:
    """Have another model as `mine`."""
    source = CHECKPOINTS / ARCHITECTURES[number % len(ARCHITECTURES)]
    write_folder(catalogue / "mine", read_files(source))


def damage(catalogue: Path, number: int) -> None:
    """Have another model as `mine`, with a bit that is wrong."""
    put(catalogue, number)
    flip_a_bit(catalogue / "mine")


def questions(service: Service, known: Known, catalogue: Path) -> list[Question]:
    """Of both models; of the one that changes either answer is right."""
    log, paths = service.log, [f"/generate?n=5&seed={seed}&model=mine" for seed in range(100)]
    bodies = []
    for number in (1, 0):
        put(catalogue, number)
        before = log.read_text().count(DONE)
        service.process.send_signal(signal.SIGHUP)
        uvloop.run(until_logged(log, DONE, before + 1))
        bodies.append(ask(service.port, paths))
    changing = [
        Question(one.path, one.sent, one.body, (other.body or b"",))
        for one, other in zip(*bodies, strict=True)
    ]
    assert all(question.body not in question.others for question in changing)
    return [each for pair in zip(changing, known.distinct * 100, strict=False) for each in pair]


@pytest.mark.slow
def test_reloads_good_and_bad_lose_no_request(
    serve: Serve, catalogue: Path, known: Known, report: Report
) -> None:
    took_s: dict[str, list[float]] = {DONE: [], FAILED: []}
    with serve(CHECKPOINTS=catalogue, DEFAULT_MODEL="gru-ngram") as service:
        ledger = Ledger(questions(service, known, catalogue))
        samples = []

        async def reload(change: Callable[[Path, int], None], number: int, said: str) -> None:
            await asyncio.to_thread(change, catalogue, number)
            before = service.log.read_text().count(said)
            asked = time.perf_counter()
            service.process.send_signal(signal.SIGHUP)
            took_s[said].append(await until_logged(service.log, said, before + 1) - asked)

        async def run() -> None:
            async with Load(service.port, ledger, connections=CONNECTIONS, rate=RATE):
                for number in range(scaled(1000, least=10)):
                    await reload(put, number, DONE)
                    await reload(damage, number, FAILED)
                    samples.append(Usage.of(service.process.pid))

        uvloop.run(run())
    for said, name in ((DONE, "good"), (FAILED, "bad")):
        report.add(f"{name} reloads", len(took_s[said]), "1000")
        report.add(f"{name}: known after, s: p50", round(percentile(took_s[said], 50), 3))
    report.add_ledger(ledger)
    settled = samples[len(samples) // 10 :]
    growth = settled[-1].resident_mb - settled[0].resident_mb
    report.add("memory growth after the first tenth, MB", round(growth, 1))
    for name in ("descriptors", "threads"):
        values = [getattr(each, name) for each in settled]
        report.add(name, f"{min(values)} to {max(values)}", "flat")
    ledger.assert_all_answered()

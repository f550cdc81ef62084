"""python -m bulk generate, with Dask's processes: what is drawn, and what kills and stops leave."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

import psutil
import pyarrow.parquet as pq
import pytest

from tests.bulk.commands import LIMIT_S, ROOT, complete, finish, hashes, parts, start, workers_of
from tests.service.conftest import free_port

COUNT, SHARD = 120_000, 4_000
GIVEN = ("--seed", 7, "--count", COUNT, "--shard", SHARD, "--offset", 500)
"""A job of 30 files: long enough that a kill comes in its midst."""

WAITING = "{} has no workers; waiting for some\n"


def begun(folder: Path) -> None:
    """Wait until some files are there; they are not all."""
    until = time.monotonic() + LIMIT_S
    while len(parts(folder)) < 3:
        assert time.monotonic() < until
        time.sleep(0.005)
    assert len(parts(folder)) < COUNT // SHARD


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a job that nothing came between."""
    folder = tmp_path_factory.mktemp("undisturbed") / "names"
    told = complete("generate", *GIVEN, "--workers", 2, "--out", folder)
    assert told.endswith(" rows in 30 files\n")
    return folder


@pytest.mark.slow
def test_names_are_those_that_the_service_gives(undisturbed: Path) -> None:
    rows = pq.read_table(undisturbed).to_pylist()  # the files that are no Parquet are passed over
    given = ("-n", len(rows), "--seed", 7, "--offset", 500, "--format", "csv")
    process = start("app", "generate", *given)
    lines = process.communicate(timeout=LIMIT_S)[0].splitlines()
    assert lines[1:] == [f"{row['name']},{row['index']}" for row in rows]
    assert rows[0]["index"] == 500
    assert rows[-1]["index"] < 500 + COUNT


@pytest.mark.slow
def test_files_say_what_they_are_and_the_manifest_what_is_there(undisturbed: Path) -> None:
    manifest = json.loads((undisturbed / "_manifest.json").read_bytes())
    found = hashes(undisturbed)
    assert set(found) == {"_job.json", "_manifest.json", *manifest["files"]}
    for number, path in enumerate(parts(undisturbed)):
        entry = manifest["files"][path.name]
        assert entry["sha256"] == found[path.name]
        about = pq.read_metadata(path)
        assert about.num_rows == entry["rows"]
        said = {name.decode(): value.decode() for name, value in about.metadata.items()}
        assert said["namewright.seed"] == "7"
        assert said["namewright.first_index"] == str(500 + number * SHARD)
        assert said["namewright.count"] == str(SHARD)
        assert said["namewright.sampler_version"] == "2"
        request = json.loads(said["namewright.request"])
        assert said["namewright.fingerprint"] == request["fingerprint"]
        assert (request["model"], request["temperature"]) == ("bigram", 1.0)
    assert manifest["rows"] == sum(entry["rows"] for entry in manifest["files"].values())


@pytest.mark.slow
def test_a_worker_killed_midway_changes_nothing(undisturbed: Path, tmp_path: Path) -> None:
    process = start("bulk", "generate", *GIVEN, "--workers", 2, "--out", tmp_path / "names")
    begun(tmp_path / "names")
    workers_of(process)[0].kill()
    status, told = finish(process)
    assert status == 0, told
    assert "workers: Restarting worker" in told
    assert hashes(tmp_path / "names") == hashes(undisturbed)


@pytest.mark.slow
def test_a_run_killed_midway_is_completed_by_the_next(undisturbed: Path, tmp_path: Path) -> None:
    folder = tmp_path / "names"
    process = start("bulk", "generate", *GIVEN, "--workers", 2, "--out", folder)
    begun(folder)
    orphans = workers_of(process)
    process.kill()
    finish(process)
    assert not psutil.wait_procs(orphans, LIMIT_S)[1]  # they end by themselves
    kept = {path.name: path.stat().st_mtime_ns for path in parts(folder)}
    complete("generate", *GIVEN, "--workers", 1, "--out", folder)
    assert hashes(folder) == hashes(undisturbed)
    now = {path.name: path.stat().st_mtime_ns for path in parts(folder)}
    assert now.items() >= kept.items()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_it_in_a_line_and_leaves_whole_files_alone(
    undisturbed: Path, tmp_path: Path, number: signal.Signals
) -> None:
    process = start("bulk", "generate", *GIVEN, "--workers", 2, "--out", tmp_path / "names")
    begun(tmp_path / "names")
    process.send_signal(number)
    assert finish(process) == (
        128 + number,
        "stopped; the same command goes on with what is missing\n",
    )
    left = hashes(tmp_path / "names")
    assert "_manifest.json" not in left
    assert left.items() <= hashes(undisturbed).items()


@pytest.mark.slow
def test_files_that_are_damaged_or_missing_are_drawn_again(
    undisturbed: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "names"
    shutil.copytree(undisturbed, folder)
    cut, flipped, missing = parts(folder)[:3]
    cut.write_bytes(cut.read_bytes()[:-5])
    data = bytearray(flipped.read_bytes())
    data[-9] ^= 1  # in its footer, which has no checksum
    flipped.write_bytes(data)
    missing.unlink()
    complete("generate", *GIVEN, "--workers", 1, "--out", folder)
    assert hashes(folder) == hashes(undisturbed)


@pytest.mark.slow
def test_a_folder_of_another_job_is_refused(undisturbed: Path) -> None:
    before = hashes(undisturbed)
    status, told = finish(
        start("bulk", "generate", *GIVEN, "--temperature", 0.5, "--out", undisturbed)
    )
    assert (status, told.count("\n")) == (2, 1)
    assert told.startswith(f"error: {undisturbed}: is of another job (temperature is 1.0 there, ")
    assert hashes(undisturbed) == before


@pytest.mark.slow
def test_a_shard_that_fails_is_named(tmp_path: Path) -> None:
    given = ("--seed", 7, "--count", 500, "--shard", 100, "--workers", 1, "--out", tmp_path)
    complete("generate", *given)
    (tmp_path / "part-00000002.parquet").unlink()
    (tmp_path / "part-00000002.parquet").mkdir()  # no file can take its place
    status, told = finish(start("bulk", "generate", *given))
    assert status == 2
    assert told.startswith("error: part-00000002.parquet (indexes 200 to 299): [Errno 21]")
    assert told.count("\n") == 1


@contextmanager
def dask(*command: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A process of a cluster."""
    inherited = {name: value for name, value in os.environ.items() if "NAMEWRIGHT_" not in name}
    process = subprocess.Popen(
        [sys.executable, "-m", "dask", *command, "--no-dashboard"],
        cwd=ROOT,
        env=inherited,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(LIMIT_S)


@contextmanager
def dask_scheduler() -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """One that has no workers: its address, and its process."""
    address = f"tcp://127.0.0.1:{free_port()}"
    with dask("scheduler", "--host", address, "--no-jupyter") as process:
        yield address, process


def dask_workers(address: str) -> AbstractContextManager["subprocess.Popen[bytes]"]:
    """Two workers, of one thread each."""
    return dask("worker", address, "--nworkers", "2", "--nthreads", "1")


@pytest.mark.slow
def test_the_workers_of_a_running_scheduler_make_the_same_files(
    undisturbed: Path, tmp_path: Path
) -> None:
    with dask_scheduler() as (address, _):
        given = ("generate", *GIVEN, "--scheduler", address, "--out", tmp_path / "names")
        process = start("bulk", *given)
        assert process.stderr
        assert process.stderr.readline() == WAITING.format(address)
        with dask_workers(address):
            assert finish(process)[0] == 0
    assert hashes(tmp_path / "names") == hashes(undisturbed)


@pytest.mark.slow
def test_a_scheduler_that_goes_away_is_an_error_of_one_line_and_no_loss(
    undisturbed: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "names"
    with dask_scheduler() as (address, scheduler), dask_workers(address):
        process = start("bulk", "generate", *GIVEN, "--scheduler", address, "--out", folder)
        begun(folder)
        scheduler.kill()
        status, told = finish(process)
    told = told.removeprefix(WAITING.format(address))  # workers may come later than the command
    assert status == 2
    assert told.startswith("error: part-")
    assert told.endswith("the scheduler has gone away\n")
    assert told.count("\n") == 1
    complete("generate", *GIVEN, "--workers", 1, "--out", folder)
    assert hashes(folder) == hashes(undisturbed)


@pytest.mark.slow
def test_memory_does_not_grow_with_the_names(tmp_path: Path) -> None:
    def peak_bytes(count: int, shard: int) -> int:
        """Of the largest process at any time: of a worker, that is, or of the command."""
        given = ("--seed", 7, "--count", count, "--shard", shard, "--workers", 1)
        process = start("bulk", "generate", *given, "--out", tmp_path / f"{count} {shard}")
        peak = 0
        while process.poll() is None:
            with suppress(psutil.NoSuchProcess):  # one that has just ended
                for each in [psutil.Process(process.pid), *workers_of(process)]:
                    peak = max(peak, each.memory_info().rss)
            time.sleep(0.02)
        assert finish(process)[0] == 0
        return peak

    few, many = peak_bytes(20_000, 10_000), peak_bytes(300_000, 10_000)
    in_one = peak_bytes(300_000, 300_000)
    assert max(many, in_one) - few < 24 << 20

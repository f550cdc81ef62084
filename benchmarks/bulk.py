"""Names a second of bulk jobs, by how many workers, against one process that writes a text.

Then the same job once more, of which a worker is killed halfway: the files must be the same.
Memory is what each worker holds, a tenth of the way and at the end.

python -m benchmarks.bulk [--count 10000000] [--model bigram]

It needs the extra `bulk`, and 30 bytes of disk a name.
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from benchmarks.machine import describe_machine
from benchmarks.server import ROOT

SEED = "7"
WORKERS = (1, 2)


@dataclass
class Watched:
    """What was seen of a job.

    Attributes:
        seconds: from start to end.
        cpu_s: of all its processes.
        resident_mb: each worker's memory by seconds, in order.
        killed: how many workers were.
    """

    seconds: float = 0
    cpu_s: float = 0
    resident_mb: list[list[float]] = field(default_factory=list)
    killed: int = 0

    def memory(self, share: float) -> float:
        """What a worker held when this share of the job was done, on average, MB (10^6 bytes)."""
        return statistics.mean(self.resident_mb[round(share * (len(self.resident_mb) - 1))])


def text(model: str, count: int) -> Watched:
    """One process, which writes names to a file."""
    watched, before = Watched(), os.times()
    began = time.perf_counter()
    with tempfile.TemporaryFile() as file:
        subprocess.run(
            [sys.executable, "-m", "app", "generate", "--model", model, "--seed", SEED,
             "-n", str(count)],
            cwd=ROOT, stdout=file, stderr=subprocess.DEVNULL, check=True,
        )  # fmt: skip
    watched.seconds, after = time.perf_counter() - began, os.times()
    watched.cpu_s = sum(after[2:4]) - sum(before[2:4])
    return watched


def job(model: str, count: int, workers: int, folder: Path, *, kill: bool = False) -> Watched:
    """A job of bulk, into a folder; with `kill` a worker is lost when half of the files are."""
    watched, before = Watched(), os.times()
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "bulk", "generate", "--model", model, "--seed", SEED, "--count",
         str(count), "--workers", str(workers), "--out", str(folder)],
        cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    files = -(-count // 100_000)
    while process.poll() is None:
        time.sleep(1)
        made = len(list(folder.glob("part-*"))) if folder.is_dir() else 0
        found = _workers(process.pid)
        if found and made:
            watched.resident_mb.append([_resident_mb(each) for each in found])
        if kill and not watched.killed and made >= files / 2:
            os.kill(found[0].pid, signal.SIGKILL)
            watched.killed += 1
    if process.returncode:
        raise SystemExit(f"the job ended with status {process.returncode}")
    watched.seconds, after = time.perf_counter() - began, os.times()
    watched.cpu_s = sum(after[2:4]) - sum(before[2:4])
    return watched


def _workers(parent: int) -> list[psutil.Process]:
    try:
        children = psutil.Process(parent).children(recursive=True)
        return [each for each in children if "spawn_main" in " ".join(each.cmdline())]
    except psutil.NoSuchProcess:
        return []


def _resident_mb(process: psutil.Process) -> float:
    try:
        return float(process.memory_info().rss) / 1e6
    except psutil.NoSuchProcess:
        return 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=10_000_000, help="of names")
    parser.add_argument("--model", default="bigram")
    options = parser.parse_args()
    machine = describe_machine()
    print(machine)
    results: dict[str, dict[str, float]] = {}
    print(
        f"{'':<28}{'seconds':>9}{'names/s':>10}{'times':>7}{'CPU s':>8}{'MB then':>9}{'at last':>9}"
    )

    def tell(title: str, watched: Watched) -> None:
        row = {"seconds": watched.seconds, "cpu_s": watched.cpu_s}
        row["names_per_s"] = options.count / watched.seconds
        alone = results.get("one process", row)["seconds"]
        memory = (watched.memory(0.1), watched.memory(1)) if watched.resident_mb else (0, 0)
        row["mb_begin"], row["mb_end"] = memory
        results[title] = row
        speed = f"{row['names_per_s']:>10,.0f}{alone / watched.seconds:>7.2f}"
        held = f"{memory[0]:>9.0f}{memory[1]:>9.0f}"
        print(f"{title:<28}{watched.seconds:>9.1f}{speed}{watched.cpu_s:>8.1f}{held}", flush=True)

    with tempfile.TemporaryDirectory() as kept:
        folder = Path(kept)
        tell("one process", text(options.model, options.count))
        for count in WORKERS:
            watched = job(options.model, options.count, count, folder / str(count))
            tell(f"bulk, {count} workers", watched)
        watched = job(options.model, options.count, WORKERS[-1], folder / "killed", kill=True)
        tell(f"bulk, {watched.killed} worker killed", watched)
        manifests = {(path / "_manifest.json").read_bytes() for path in folder.iterdir()}
    same = len(manifests) == 1
    print("the files of all jobs are the same" if same else "THE FILES DIFFER")
    print(json.dumps({"benchmark": "bulk", "machine": machine, "same": same, "results": results}))
    if not same:
        raise SystemExit(1)


if __name__ == "__main__":
    main()

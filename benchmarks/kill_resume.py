"""A run that is killed at random moments ends with the bits of one that was not.

Kills `fit` with SIGKILL again and again, wherever it is: starting, training, saving, drawing.
The same command goes on each time. Afterwards the weights and the curve must be those of an
undisturbed run, and no process may have outlived its parent.

python -m benchmarks.kill_resume --data names.txt [--kills 20] [--steps 1000] [--names 1000]
"""

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.machine import describe_machine

RECIPES = ("gru", "cnn", "transformer")
FILES = ("model.safetensors", "metrics.jsonl")
ORPHAN_LIMIT_S = 120


@dataclass
class Proof:
    """What was seen.

    Attributes:
        seconds: of the undisturbed run.
        kills: how many lives were ended.
        resumed: lives that began from what an earlier one had saved.
        identical: runs that came to their end with the same bits; there are no others.
    """

    seconds: float
    kills: int = 0
    resumed: int = 0
    identical: int = 0


def prove(command: Sequence[str], folder: Path, kills: int, seed: int = 0) -> Proof:
    """Kill a command of `fit` so many times.

    Args:
        command: without its --out.
        folder: empty; the checkpoints are written there.
        kills: at least 1.
        seed: of the moments.
    """
    started = time.monotonic()
    with _started(command, folder / "whole") as process:
        if process.wait():
            raise SystemExit(f"{command}: exit status {process.returncode}")
    proof = Proof(time.monotonic() - started)
    whole, out, chance = _hashes(folder / "whole"), folder / "killed", random.Random(seed)
    while True:
        last = proof.kills == kills
        proof.resumed += out.with_name(".killed.run").exists()
        if not _live(command, out, None if last else chance.uniform(0, 1.1 * proof.seconds)):
            proof.kills += 1
            continue
        if _hashes(out) != whole:
            raise SystemExit(f"{command}: other bits after {proof.kills} kills")
        proof.identical += 1
        if last:
            return proof
        shutil.rmtree(out)


def _live(command: Sequence[str], out: Path, life_s: float | None) -> bool:
    """Run for so long at most; whether it came to its end."""
    with _started(command, out) as process:
        try:
            status = process.wait(life_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            _await_nothing_left(process.pid)
            return False
    if status:
        raise SystemExit(f"{command}: exit status {status} in a life after a kill")
    return True


def _started(command: Sequence[str], out: Path) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [*command, "--out", str(out)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        start_new_session=True,
    )


def _await_nothing_left(group: int) -> None:
    """Wait until no process of a group runs; there is one that stays: the claim is wrong."""
    deadline = time.monotonic() + ORPHAN_LIMIT_S
    while left := _running(group):
        if time.monotonic() > deadline:
            with suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)
            raise SystemExit(f"processes {left} outlived their parent")
        time.sleep(0.05)


def _running(group: int) -> list[int]:
    """The processes of a group, zombies left out."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has just ended
            state, _, process_group, *_ = stat.read_text().rpartition(")")[2].split()
            if int(process_group) == group and state != "Z":
                found.append(int(stat.parent.name))
    return found


def _hashes(checkpoint: Path) -> list[str]:
    return [hashlib.sha256((checkpoint / name).read_bytes()).hexdigest() for name in FILES]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="names, one a line")
    parser.add_argument("--kills", type=int, default=20, help="of each recipe")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--names", type=int, default=1000, help="how many of them to train on")
    parser.add_argument("--recipes", nargs="+", default=RECIPES)
    options = parser.parse_args()
    machine = describe_machine()
    print(machine)
    print(f"{'recipe':<12} {'alone':>8} {'kills':>6} {'lives resumed':>14} {'identical runs':>15}")
    results = {}
    for recipe in options.recipes:
        with tempfile.TemporaryDirectory() as name:
            names = Path(name) / "names.txt"
            lines = options.data.read_text(encoding="utf-8").splitlines()[: options.names]
            names.write_text("\n".join(lines), encoding="utf-8")
            command = [
                sys.executable, "-m", "training", "fit", "--recipe", recipe, "--data", str(names),
                "--steps", str(options.steps), "--split", "clean", "makemore", "--device", "cpu",
            ]  # fmt: skip
            proof = prove(command, Path(name), options.kills)
        results[recipe] = asdict(proof)
        print(
            f"{recipe:<12} {proof.seconds:>6.1f} s {proof.kills:>6} {proof.resumed:>14}"
            f" {proof.identical:>15}"
        )
    print(json.dumps({"benchmark": "kill_resume", "machine": machine, "results": results}))


if __name__ == "__main__":
    main()

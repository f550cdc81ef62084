"""python -m tests.faults.killing FOLDER moments|boundaries COUNT: a training run, killed so often.

The run is the whole of `python -m training fit` with a tiny corpus: state saved at every look at
dev, then the checkpoint, the held-out names and the pictures. Each life is forked from this
process, which has imported everything, and ended by SIGKILL, either at a random moment or before
its k-th operation on a file (see boundaries.py). Then there must be a checkpoint that can be
loaded, the one of before or the new one, and the same command must go on to the same bits. What
was seen is printed, as JSON.
"""

import json
import os
import random
import select
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch

from models.checkpoint import load_checkpoint
from models.errors import CheckpointError
from tests.faults.boundaries import count_boundaries, die_before
from tests.training.conftest import NAMES, SHORT, TINY
from training.__main__ import main as train
from training.bundle import state_folder
from training.plots import draw_plots
from training.recipes import RECIPES

RECIPE = "gru"
_STEPS, _LOOK_EVERY = 40, 4
_OWN = ("seconds", "date", "commit")
"""Of the record of a run: what another may have otherwise."""


def nothing() -> None:
    """Leave a life as it is."""


class Run:
    """A command, its lives, and what comes of them.

    Attributes:
        out: the checkpoint that it writes.
        seconds: that a whole life takes.
    """

    def __init__(self, folder: Path) -> None:
        self.out = folder / "out"
        self._data = folder / "names.txt"
        self._data.write_text("\n".join(NAMES))
        self._log = folder / "log"
        self._old, self._whole = folder / "old", folder / "whole"
        assert self.live(self._old, seed=2)
        draw_plots(load_checkpoint(self._old), NAMES)  # what is loaded for that is inherited
        started = time.monotonic()
        assert self.live(self._whole)
        self.seconds = time.monotonic() - started
        self._fingerprints = {
            load_checkpoint(path).fingerprint: name
            for path, name in ((self._old, "old"), (self._whole, "new"))
        }
        assert len(self._fingerprints) == 2

    def begin(self, fresh: bool) -> None:
        """Nothing is done yet; an older checkpoint is there, unless `fresh`."""
        for path in (self.out, state_folder(self.out)):
            shutil.rmtree(path, ignore_errors=True)
        if not fresh:
            shutil.copytree(self._old, self.out)

    def live(
        self,
        out: Path | None = None,
        seed: int = 1,
        *,
        prepare: Callable[[], None] = nothing,
        life_s: float | None = None,
    ) -> bool:
        """Whether a life came to its end, by itself; `prepare` is called in it first."""
        child = os.fork()
        if not child:
            self._do(out or self.out, seed, prepare)
        if life_s is not None:
            ended = os.pidfd_open(child)
            if not select.select([ended], [], [], life_s)[0]:
                os.kill(child, signal.SIGKILL)
            os.close(ended)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert status in (0, -signal.SIGKILL), (status, self._log.read_text()[-2000:])
        return status == 0

    def _do(self, out: Path, seed: int, prepare: Callable[[], None]) -> None:
        status = 1
        try:
            log = os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(log, 1)
            os.dup2(log, 2)
            prepare()
            arguments = ["--data", str(self._data), "--out", str(out), "--seed", str(seed)]
            status = train(["fit", "--recipe", RECIPE, "--device", "cpu", *arguments])
            sys.stdout.flush()
        finally:
            os._exit(status)

    def left(self, fresh: bool) -> str:
        """What there is to be loaded: the `old` checkpoint, the `new` one, or `none` if `fresh`."""
        try:
            return self._fingerprints[load_checkpoint(self.out).fingerprint]
        except CheckpointError:
            committed = list(self.out.rglob("manifest.json"))
            if fresh and not committed:
                return "none"
            raise

    def saved(self) -> bool:
        """Whether a state has been saved from which to go on."""
        return any(state_folder(self.out).glob("*.pt"))

    def verify(self) -> None:
        """Check that what has come to its end has the bits of the run that was let alone."""
        found, due = _content(self.out), _content(self._whole)
        assert found.keys() == due.keys(), (sorted(found), sorted(due))
        other = [name for name in due if found[name] != due[name]]
        assert not other, (other, found["config.json"], due["config.json"])
        assert not state_folder(self.out).exists()


def _content(folder: Path) -> dict[str, Any]:
    files: dict[str, Any] = {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
    config = json.loads(files["config.json"])
    config["training"] |= dict.fromkeys(_OWN)
    return files | {"config.json": config, "manifest.json": None}


def at_moments(run: Run, count: int) -> dict[str, Any]:
    """Kill at random moments of as long as a life takes; each next life goes on."""
    dice, kills, fell, completed = random.Random(7), 0, Counter[str](), 0
    while kills < count:
        fresh = dice.random() < 0.25
        run.begin(fresh)
        while not run.live(life_s=None if kills == count else dice.uniform(0, 1.1 * run.seconds)):
            kills += 1
            found = run.left(fresh)
            fell[f"{found}, {'with' if run.saved() else 'without'} a saved state"] += 1
            fell["while a checkpoint was written"] += (run.out / ".incoming").exists()
        run.verify()
        completed += 1
    return {"kills": kills, "fell": dict(fell), "identical_ends": completed}


def at_boundaries(run: Run, count: int) -> dict[str, Any]:
    """Kill before each of `count` operations on files, from the first to the last, or all."""
    kinds = run.out.parent / "kinds"
    everything, fell, seen = Counter[str](), Counter[str](), 0
    for fresh in (False, True):
        run.begin(fresh)
        assert run.live(prepare=lambda: count_boundaries(run.out.parent, kinds))
        operations = kinds.read_text().split()
        everything.update(operations)
        last = len(operations) - 1
        places = sorted({round(i * last / (count - 1)) for i in range(count)})
        found = []
        for k in places:
            run.begin(fresh)
            assert not run.live(prepare=lambda k=k: die_before(run.out.parent, k))  # type: ignore[misc]
            found.append(run.left(fresh))
            assert run.live()
            run.verify()
        assert all(b == "new" for a, b in pairwise(found) if a == "new")  # and never the old again
        fell.update(found)
        seen += len(found)
    return {"operations": dict(everything), "kills": seen, "fell": dict(fell)}


def main(folder: Path, how: str, count: int) -> None:
    """Print what was seen."""
    torch.set_num_threads(1)  # and no threads of its own, which a fork would lose
    torch.optim.AdamW([torch.zeros(1)])  # imports torch's compiler, for seconds
    method = replace(SHORT, steps=_STEPS, eval_every=_LOOK_EVERY, patience=1000)
    tiny = replace(TINY[RECIPE], method=method)
    RECIPES[RECIPE] = lambda: tiny
    run = Run(folder)
    done = {"moments": at_moments, "boundaries": at_boundaries}[how](run, count)
    sys.stdout.write(json.dumps({"life_s": round(run.seconds, 2), **done}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))

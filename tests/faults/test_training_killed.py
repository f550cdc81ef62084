"""A training run that is killed anywhere leaves a checkpoint to load, and goes on to the same bits.

Hundreds of lives of the whole command; see killing.py. Kills of runs with several processes are
in tests/training/test_kill.py.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.faults.report import Report
from tests.faults.scale import scaled
from tests.training.conftest import ROOT

KILLS = 500
BOUNDARIES = 300
"""More than there are: all of them."""


def killed(folder: Path, how: str, count: int) -> dict[str, Any]:
    """What killing.py saw."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.killing", str(folder), how, str(count)],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    seen: dict[str, Any] = json.loads(done.stdout)
    return seen


@pytest.mark.slow
def test_killed_at_random_moments_it_goes_on_to_the_same_bits(
    tmp_path: Path, report: Report
) -> None:
    seen = killed(tmp_path, "moments", scaled(KILLS))
    assert seen["kills"] == scaled(KILLS)
    assert seen["identical_ends"] >= 1
    report.add_all(seen)


@pytest.mark.slow
def test_killed_at_every_operation_on_a_file_it_goes_on_to_the_same_bits(
    tmp_path: Path, report: Report
) -> None:
    seen = killed(tmp_path, "boundaries", scaled(BOUNDARIES, 2))
    assert {"open", "write", "fsync", "close", "replace", "mkdir"} <= set(seen["operations"])
    assert seen["kills"] > 0
    report.add_all(seen)

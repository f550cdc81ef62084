"""SIGKILL at random moments through the real command line; see benchmarks/kill_resume.py."""

import sys
from pathlib import Path

import pytest

from benchmarks.kill_resume import prove
from tests.training.conftest import NAMES


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ["gru", "cnn", "transformer"])
def test_killed_at_random_moments_it_ends_with_the_same_bits_and_leaves_no_process(
    recipe: str, tmp_path: Path
) -> None:
    data = tmp_path / "names.txt"
    data.write_text("\n".join(NAMES))
    command = [
        sys.executable, "-m", "tests.training", "fit", "--recipe", recipe, "--data", str(data),
        "--split", "clean", "makemore", "--device", "cpu",
    ]  # fmt: skip
    proof = prove(command, tmp_path, kills=3)
    assert proof.kills == 3
    assert proof.resumed >= 1
    assert proof.identical >= 1

"""A run that was stopped goes on to the very bits of one that was not."""

import os
import random
import re
import resource
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.training.conftest import NAMES, ROOT, SHORT, TINY, VOCABULARY, assert_same_weights
from training.fit import Fitted, fit
from training.recipes import Recipe
from training.resume import Place, ResumeError
from training.run import Run

IDENTITY = {"seed": 1, "learning_rate": 0.1, "alphabet": "abc"}
STATE = {"model": {"weight": torch.arange(1000.0)}, "progress": {"step": 7, "metrics": [{"a": 1}]}}


def after(steps: int) -> Callable[[], bool]:
    """Asks to stop once this many steps were done."""
    left = iter(range(steps))
    return lambda: next(left, None) is None


def fit_tiny(recipe: Recipe, run: Run = Run(), seed: int = 3, train: list[str] = NAMES) -> Fitted:
    return fit(recipe, VOCABULARY, train, NAMES[::3], seed=seed, run=run)


@pytest.mark.parametrize("steps", [0, 1, 4, 7, 11, 12])
@pytest.mark.parametrize("architecture", ["gru", "cnn", "transformer"])
def test_stopped_after_any_step_it_goes_on_to_the_same_bits(
    architecture: str, steps: int, tmp_path: Path
) -> None:
    recipe, state = TINY[architecture], tmp_path / "run" / "clean.pt"
    whole = fit_tiny(recipe)
    stopped = fit_tiny(recipe, Run(state=state, stop=after(steps)))
    assert stopped.finished == (steps == 12)
    assert stopped.metrics == whole.metrics[: steps // 4]
    resumed = fit_tiny(recipe, Run(state=state))
    assert resumed.finished
    assert resumed.metrics == whole.metrics
    assert resumed.best_step == whole.best_step
    assert_same_weights(resumed.model, whole.model)


def test_stopped_again_and_again_it_still_ends_with_the_same_bits(tmp_path: Path) -> None:
    recipe, state = TINY["transformer"], tmp_path / "clean.pt"
    lives = 0
    while not (resumed := fit_tiny(recipe, Run(state=state, stop=after(1)))).finished:
        lives += 1
    assert lives == 12 - 1
    whole = fit_tiny(recipe)
    assert resumed.metrics == whole.metrics
    assert_same_weights(resumed.model, whole.model)


def test_a_run_that_was_stopped_has_the_best_weights_so_far() -> None:
    stopped = fit_tiny(TINY["cnn"], Run(stop=after(7)))
    at_its_look = fit_tiny(TINY["cnn"], Run(stop=after(4)))
    assert stopped.best_step == at_its_look.best_step == 4
    assert_same_weights(stopped.model, at_its_look.model)


def test_early_stopping_remembers_how_long_it_has_waited(tmp_path: Path) -> None:
    stuck = replace(SHORT, steps=60, learning_rate=0.0, final_learning_rate=0.0, patience=3)
    recipe, state = replace(TINY["gru"], method=stuck), tmp_path / "clean.pt"
    whole = fit_tiny(recipe)
    assert [row["step"] for row in whole.metrics] == [4, 8, 12, 16]
    for steps in (6, 5, 2):
        assert not fit_tiny(recipe, Run(state=state, stop=after(steps))).finished
    resumed = fit_tiny(recipe, Run(state=state))
    assert resumed.finished
    assert resumed.metrics == whole.metrics
    again = fit_tiny(recipe, Run(state=state, stop=after(0)))
    assert again.finished  # nothing is left to do
    assert again.metrics == whole.metrics


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"seed": 4}, r"seed \(was 3, is 4\)"),
        ({"train": NAMES[1:]}, r"data \(was '[0-9a-f]+\.\.\., is '[0-9a-f]+\.\.\.\)"),
        ({"run": {"precision": "bf16"}}, r"precision \(was 'float32', is 'bf16'\)"),
        ({"recipe": replace(TINY["gru"], n_embd2=9)}, r"n_embd2 \(was 8, is 9\)"),
        ({"recipe": replace(TINY["gru"], method=replace(SHORT, steps=9))}, r"steps \(was 12, is 9"),
        ({"recipe": TINY["rnn"]}, r"architecture \(was 'gru', is 'rnn'\), dropout"),
    ],
    ids=["seed", "data", "precision", "size", "steps", "recipe"],
)
def test_a_state_of_another_run_is_refused_and_kept(
    change: dict[str, Any], said: str, tmp_path: Path
) -> None:
    state = tmp_path / "clean.pt"
    fit_tiny(TINY["gru"], Run(state=state, stop=after(5)))
    before = state.read_bytes()
    run = Run(state=state, **change.pop("run", {}))
    recipe = change.pop("recipe", TINY["gru"])
    with pytest.raises(
        ResumeError, match=f"clean.pt: belongs to another run; changed: .*{said}"
    ) as e:
        fit_tiny(recipe, run, **change)
    assert str(e.value).endswith("Run it as it was, or, to begin anew, say --restart")
    assert state.read_bytes() == before


def test_what_was_saved_is_loaded_and_nothing_else_lies_about(tmp_path: Path) -> None:
    place = Place(tmp_path / "new" / "folder" / "state.pt", IDENTITY)
    assert place.load() is None
    for step in (7, 8):
        place.save(STATE | {"progress": {"step": step}})
    loaded = place.load()
    assert loaded is not None
    assert loaded["progress"] == {"step": 8}
    assert torch.equal(loaded["model"]["weight"], STATE["model"]["weight"])  # type: ignore[call-overload]
    assert os.listdir(place.path.parent) == ["state.pt"]


def test_a_flipped_bit_anywhere_is_noticed_or_changes_nothing(tmp_path: Path) -> None:
    place = Place(tmp_path / "state.pt", IDENTITY)
    place.save(STATE)
    whole, refused, chance = place.path.read_bytes(), [], random.Random(0)
    for _ in range(300):
        damaged = bytearray(whole)
        damaged[chance.randrange(len(whole))] ^= 1 << chance.randrange(8)
        place.path.write_bytes(damaged)
        try:
            loaded = place.load()
        except ResumeError as error:
            refused.append(str(error))
        else:
            assert loaded is not None
            assert loaded["progress"] == STATE["progress"]
            assert torch.equal(loaded["model"]["weight"], STATE["model"]["weight"])  # type: ignore[call-overload]
    assert len(refused) > 200
    for message in refused:
        assert re.fullmatch(r".*state\.pt: cannot be read: .*To begin anew, say --restart", message)


@pytest.mark.parametrize(
    "data", [b"", b"x", b"not a state\n" * 1000, "half", "folder"], ids=lambda data: str(data)[:12]
)
def test_a_damaged_state_is_refused_with_the_remedy(data: bytes | str, tmp_path: Path) -> None:
    place = Place(tmp_path / "state.pt", IDENTITY)
    if data == "folder":
        place.path.mkdir()
    elif data == "half":
        place.save(STATE)
        place.path.write_bytes(place.path.read_bytes()[:2000])
    else:
        place.path.write_bytes(data)  # type: ignore[arg-type]
    with pytest.raises(
        ResumeError, match=r"state\.pt: cannot be read: .*To begin anew, say --restart"
    ):
        place.load()


def test_a_state_that_would_run_code_runs_none(tmp_path: Path) -> None:
    place = Place(tmp_path / "state.pt", IDENTITY)
    torch.save({"identity": IDENTITY, "state": _Evil(tmp_path / "ran")}, place.path)
    with pytest.raises(ResumeError, match="cannot be read"):
        place.load()
    assert not (tmp_path / "ran").exists()


class _Evil:
    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self._path,)


FULL_DISK = """
import resource, sys
from pathlib import Path
import torch
from training.resume import Place
place = Place(Path(sys.argv[1]), {"seed": 1})
place.save({"weight": torch.zeros(1000)})
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
try:
    place.save({"weight": torch.ones(100_000)})
except OSError as error:
    print(error)
"""


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_FSIZE"), reason="no limit of file sizes here")
def test_a_full_disk_keeps_the_earlier_state_and_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "state.pt"
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(path)], cwd=ROOT, capture_output=True, text=True,
        check=True, timeout=120,
    )  # fmt: skip
    assert done.stdout == f"[Errno 27] File too large: '{path}'\n"
    saved = Place(path, {"seed": 1}).load()
    assert saved is not None
    assert torch.equal(saved["weight"], torch.zeros(1000))
    assert os.listdir(tmp_path) == ["state.pt"]


def test_a_file_in_place_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("in the way")
    place = Place(tmp_path / "run" / "state.pt", IDENTITY)
    assert place.load() is None
    with pytest.raises(OSError, match=r"run/state\.pt"):
        place.save(STATE)
    assert (tmp_path / "run").read_text() == "in the way"

"""Two real processes under torchrun, against one."""

import json
import math
import os
import platform
import subprocess
from pathlib import Path

import pytest
import torch

from models.checkpoint import load_checkpoint
from models.errors import ConfigError
from tests.training.conftest import NAMES, run_training
from training.parallel import Group, joined

ROUNDING = 1e-4
"""Of float32 sums in another order, over all the steps."""

TORCHRUN = (
    "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "tests.training",
)  # fmt: skip


def fit_on(
    processes: int, recipe: str, folder: Path, *options: str
) -> "subprocess.CompletedProcess[str]":
    (folder / "names.txt").write_text("\n".join(NAMES))
    return run_training(
        "fit", "--recipe", recipe, "--data", folder / "names.txt", "--steps", "60",
        "--out", folder / f"of-{processes}", "--device", "cpu", *options,
        module=TORCHRUN if processes > 1 else ("tests.training",),
        TORCH_DISABLE_SHARE_RDZV_TCP_STORE="1",  # as the launcher needs where hosts have no names
    )  # fmt: skip


@pytest.mark.slow
def test_two_processes_learn_what_one_learns(tmp_path: Path) -> None:
    for processes in (1, 2):
        done = fit_on(processes, "rnn", tmp_path, "--split", "clean", "makemore")
        assert done.returncode == 0, done.stderr
    one, two = (load_checkpoint(tmp_path / f"of-{processes}") for processes in (1, 2))
    assert len(one.metrics) == len(two.metrics) > 1
    for row, other in zip(one.metrics, two.metrics, strict=True):
        assert other == pytest.approx(row, abs=ROUNDING)
    weights, others = one.model.state_dict(), two.model.state_dict()
    for name, tensor in weights.items():
        torch.testing.assert_close(others[name], tensor, rtol=0, atol=10 * ROUNDING)
    # The sums' last bits: were they the same, the second process would have had no part in it.
    assert not all(torch.equal(others[name], tensor) for name, tensor in weights.items())
    for split, parts in one.metadata.evaluation.items():
        assert two.metadata.evaluation[split] == pytest.approx(parts, abs=ROUNDING)
    rows = [line for line in done.stderr.splitlines() if line.startswith('{"step"')]
    told = [json.loads(row) for row in rows]
    assert told == [pytest.approx(row, rel=1e-6) for row in two.metrics]  # each once
    assert done.stdout.count("saved ") == 1
    assert not (tmp_path / ".of-2.run").exists()


def test_alone_a_group_does_nothing() -> None:
    with joined("cpu") as group:
        assert group == Group(rank=0, size=1)
        tensors = [torch.ones(2), torch.zeros(3)]
        group.sum_(tensors)
        assert [tensor.tolist() for tensor in tensors] == [[1.0, 1.0], [0.0, 0.0, 0.0]]
        assert group.from_rank(0, math.pi) == math.pi
        assert group.gather(math.pi) == [math.pi]


def test_a_part_of_what_torchrun_sets_is_an_error_that_names_the_rest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    for name in ("RANK", "LOCAL_RANK", "MASTER_ADDR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MASTER_PORT", "29400")
    with (
        pytest.raises(ConfigError, match="RANK, LOCAL_RANK, MASTER_ADDR not: start it by torchrun"),
        joined("cpu"),
    ):
        pass


@pytest.mark.slow
def test_what_is_counted_is_told_by_one_process(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("\n".join(NAMES))
    done = run_training(
        "fit", "--recipe", "ngram", "--data", tmp_path / "names.txt", "--device", "cpu",
        "--out", tmp_path / "model", module=TORCHRUN, TORCH_DISABLE_SHARE_RDZV_TCP_STORE="1",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr.count('{"step"') == done.stdout.count("saved ") == 1


IN_TWO = """
import math, sys, torch
from pathlib import Path
from models.errors import NamewrightError
from training.agreement import agree
from training.parallel import joined
from training.resume import Place, load_newest

def error(call, *arguments):
    try:
        return call(*arguments)
    except NamewrightError as error:
        return f"{type(error).__name__}: {error}"

folder = Path(sys.argv[1])
with joined("cpu") as group:
    tensors = [torch.full((2, 2), 1.0 + group.rank), torch.tensor(10.0 * group.rank)]
    group.sum_(tensors)
    place = Place(folder / f"of-{group.rank}" / "state.pt", {"seed": 1})
    told = [
        tensors,
        group.from_rank(0, math.pi + group.rank),
        group.gather("ab"[group.rank]),
        group.from_rank(1, "ab"[group.rank]),
        error(agree, group, {"seed": 1, "steps": 5}),
        error(agree, group, {"seed": 1 + group.rank, "steps": 5}),
        load_newest(place, group),
    ]
    if group.rank == 1:
        place.save({"progress": {"step": 7}})
    told.append(load_newest(place, group))
    if group.rank == 0:
        place.save({"progress": {"step": 8}})
    told.append(load_newest(place, group))
    if group.rank == 1:
        place.path.write_bytes(b"damaged")
    told.append(error(load_newest, place, group))
    (folder / str(group.rank)).write_text("\\n".join(map(str, told)))
"""


@pytest.mark.slow
def test_sums_values_errors_and_the_newest_state_reach_every_process(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(IN_TWO)
    done = run_training(
        tmp_path / "script.py", tmp_path, module=TORCHRUN[:4],
        TORCH_DISABLE_SHARE_RDZV_TCP_STORE="1", PYTHONPATH=os.getcwd(),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    node = platform.node()
    expected = [
        str([torch.full((2, 2), 3.0), torch.tensor(10.0)]),
        str(math.pi),
        "['a', 'b']",
        "b",
        "None",
        f"DisagreementError: rank 1 on {node} differs from rank 0 on {node}: seed (2, not 1). "
        "All must be the same",
        "None",
        "{'progress': {'step': 7}}",
        "{'progress': {'step': 8}}",
        f"ResumeError: {tmp_path / 'of-1' / 'state.pt'}: cannot be read: File is not a zip file. "
        f"To begin anew, remove {tmp_path / 'of-1'} on {node}",
    ]
    for rank in "01":
        assert (tmp_path / rank).read_text() == "\n".join(expected)


def test_what_torchrun_may_start_again_does_not_begin_anew(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("\n".join(NAMES))
    state = tmp_path / ".model.run"
    state.mkdir()
    done = run_training(
        "fit", "--recipe", "rnn", "--data", tmp_path / "names.txt", "--out", tmp_path / "model",
        "--device", "cpu", "--restart", TORCHELASTIC_RUN_ID="run",
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr == (
        "error: --restart: torchrun may start the command again, which would forget what it has "
        f"done since; remove {state} on every host instead\n"
    )
    assert state.exists()


@pytest.mark.slow
def test_two_processes_in_bfloat16_learn_about_the_same(tmp_path: Path) -> None:
    done = fit_on(2, "rnn", tmp_path, "--precision", "bf16")
    assert done.returncode == 0, done.stderr
    assert fit_on(1, "rnn", tmp_path).returncode == 0
    one, two = (load_checkpoint(tmp_path / f"of-{processes}") for processes in (1, 2))
    curves = [[row["dev_nll"] for row in model.metrics] for model in (one, two)]
    assert curves[0] != curves[1]
    assert curves[1] == pytest.approx(curves[0], rel=0.05)

"""Ctrl-C and SIGTERM: a run ends after its step, with a checkpoint, and goes on later."""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from models.checkpoint import load_checkpoint
from tests.service.conftest import assert_nothing_left, kill, members
from tests.training.conftest import NAMES, start_training
from training.__main__ import main
from training.stopping import Stop

WAIT_S = 120
SPLITS = ("clean", "makemore")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With names.txt, and `whole`: the checkpoint of a run that nobody disturbed."""
    folder = tmp_path_factory.mktemp("stopping")
    (folder / "names.txt").write_text("\n".join(NAMES))
    assert end(start(folder, "whole")) == 0, (folder / "whole.log").read_text()
    return folder


def start(folder: Path, name: str) -> "subprocess.Popen[bytes]":
    return start_training(
        "fit", "--recipe", "gru", "--data", folder / "names.txt", "--out", folder / name,
        "--split", *SPLITS, "--device", "cpu", log=folder / f"{name}.log",
    )  # fmt: skip


def end(process: "subprocess.Popen[bytes]") -> int:
    try:
        return process.wait(WAIT_S)
    except subprocess.TimeoutExpired:
        kill(process.pid)
        raise


def await_(condition: Callable[[], bool], process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert process.poll() is None, "it ended too early"
        assert time.monotonic() < deadline
        time.sleep(0.02)


def stop_after(
    folder: Path, name: str, ready: Callable[[int], bool], send: Callable[[int], None]
) -> None:
    """Start a run, send it something when it is ready, and see that it stops as it should."""
    log = folder / f"{name}.log"
    process = start(folder, name)
    await_(lambda: ready(process.pid), process)
    send(process.pid)
    assert end(process) == 130, log.read_text()
    assert_nothing_left(process.pid, log)
    assert "Traceback" not in log.read_text()
    assert log.read_text().endswith(
        "stopped early: the checkpoint is the best so far; the same command goes on from there\n"
    )
    checkpoint = load_checkpoint(folder / name)
    assert checkpoint.metadata.training["finished"] is False
    assert set(checkpoint.metadata.evaluation) == set(SPLITS)
    assert {path.name for path in (folder / f".{name}.run").iterdir()} == {
        f"{split}.pt" for split in SPLITS
    }


def assert_goes_on_as_if_nothing_had_been(folder: Path, name: str) -> None:
    assert end(start(folder, name)) == 0, (folder / f"{name}.log").read_text()
    for file in ("model.safetensors", "metrics.jsonl"):
        assert (folder / name / file).read_bytes() == (folder / "whole" / file).read_bytes()
    records = [json.loads((folder / n / "config.json").read_text()) for n in (name, "whole")]
    assert records[0]["training"]["finished"] is True
    assert records[0]["evaluation"] == records[1]["evaluation"]
    assert not (folder / f".{name}.run").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "send"),
    [
        ("terminal", lambda pid: os.killpg(pid, signal.SIGINT)),  # as a terminal's Ctrl-C
        ("parent", lambda pid: os.kill(pid, signal.SIGINT)),
        ("term", lambda pid: os.killpg(pid, signal.SIGTERM)),
    ],
)
def test_a_run_that_is_asked_to_stop_keeps_its_best_and_goes_on_to_the_same_bits(
    name: str, send: Callable[[int], None], folder: Path
) -> None:
    def both_have_saved(_: int) -> bool:
        return all((folder / f".{name}.run" / f"{split}.pt").exists() for split in SPLITS)

    stop_after(folder, name, both_have_saved, send)
    assert load_checkpoint(folder / name).metrics  # it was in its midst
    assert_goes_on_as_if_nothing_had_been(folder, name)


@pytest.mark.slow
def test_a_run_is_stopped_just_as_well_while_its_worker_starts(folder: Path) -> None:
    def worker_started(pid: int) -> bool:
        return len(members(pid)) >= 3  # with multiprocessing's tracker

    stop_after(folder, "early", worker_started, lambda pid: os.killpg(pid, signal.SIGINT))
    assert_goes_on_as_if_nothing_had_been(folder, "early")


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ["gru", "gru-ngram"])
def test_before_the_first_look_a_checkpoint_that_is_there_stays(
    recipe: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = folder / f"served-{recipe}"
    shutil.copytree(folder / "whole", out)
    before = {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()}
    monkeypatch.setattr(Stop, "__call__", lambda _: True)
    given = ["fit", "--recipe", recipe, "--data", folder / "names.txt", "--out", out]
    assert main([*map(str, given), "--device", "cpu"]) == 130
    assert "the checkpoint that is there stays" in capsys.readouterr().out
    assert {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()} == before


@pytest.mark.usefixtures("interruptible")
def test_the_first_signal_asks_and_the_second_does_what_it_always_does() -> None:
    told: list[str] = []
    with Stop(lambda: told.append("others")) as stop:
        assert not stop()
        os.kill(os.getpid(), signal.SIGINT)
        assert stop()
        assert told == ["others"]
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_signal_that_is_ignored_stays_so() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Stop() as stop:
            os.kill(os.getpid(), signal.SIGINT)
            assert not stop()
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)

"""Two hosts under torchrun, against one; each has a disk of its own."""

import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import torch

from models.checkpoint import Checkpoint, load_checkpoint
from tests.training.conftest import NAMES, run_training
from tests.training.hosts import Host, two_hosts

pytestmark = pytest.mark.slow

STEPS = ("--steps", 1000)
STATE = Path(".model.run", "clean.pt")
ROUNDING = 1e-3
"""Of float32 sums in another order, over all the steps."""


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[list[Host]]:
    with ExitStack() as stack:
        try:
            made = stack.enter_context(two_hosts(tmp_path))
        except OSError as error:
            pytest.skip(f"no network namespaces here: {error}")
        for host in made:
            (host.folder / "names.txt").write_text("\n".join(NAMES))
        yield made


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    """What one host learns undisturbed."""
    folder = tmp_path_factory.mktemp("one")
    (folder / "names.txt").write_text("\n".join(NAMES))
    done = run_training(
        "fit", "--recipe", "rnn", "--device", "cpu", "--data", folder / "names.txt",
        "--out", folder / "model", *STEPS, module=("tests.training",),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return load_checkpoint(folder / "model")


def assert_same_but_for_rounding(folder: Path, one: Checkpoint) -> None:
    found = load_checkpoint(folder)
    assert found.metadata.training["finished"]
    assert len(found.metrics) == len(one.metrics)
    for row, other in zip(one.metrics, found.metrics, strict=True):
        assert other == pytest.approx(row, abs=ROUNDING)
    weights, others = one.model.state_dict(), found.model.state_dict()
    for name, tensor in weights.items():
        torch.testing.assert_close(others[name], tensor, rtol=0, atol=10 * ROUNDING)
    # The sums' last bits: were they the same, the other host would have had no part in it.
    assert not all(torch.equal(others[name], tensor) for name, tensor in weights.items())


def test_two_hosts_learn_what_one_learns(hosts: list[Host], one: Checkpoint) -> None:
    runs = [host.launch("2", *STEPS) for host in hosts]
    for run in runs:
        assert run.end() == 0, run.log
    a, b = hosts
    assert_same_but_for_rounding(a.folder / "model", one)
    assert not (b.folder / "model").exists()
    for host in hosts:
        assert not (host.folder / STATE).parent.exists()


def test_a_killed_host_is_done_without_and_shares_the_work_again_when_it_is_back(
    hosts: list[Host], one: Checkpoint
) -> None:
    a, b = hosts
    run, lost = (host.launch("1:2", *STEPS) for host in hosts)
    run.wait_until((b.folder / STATE).exists)
    b.signal(signal.SIGKILL)
    lost.end()
    run.wait_for(r'does not answer.*"step"')  # alone
    # Its process, not torchrun, stands still until the other is there, lest it be done by then.
    a.signal(signal.SIGSTOP, run.process.pid)
    back = b.launch("1:2", *STEPS)
    run.wait_for("Detected 1 new nodes")
    a.signal(signal.SIGCONT)
    for launched in (run, back):
        assert launched.end() == 0, launched.log
    assert run.log.count('"step": 25,') == 1  # each time from where it was
    assert "group_world_size=1" in run.log
    assert "group_world_size=2" in back.log
    assert_same_but_for_rounding(a.folder / "model", one)


def test_a_host_that_falls_silent_is_done_without_and_ends(
    hosts: list[Host], one: Checkpoint
) -> None:
    a, b = hosts
    b.give_up_early()
    run, lost = (host.launch("1:2", *STEPS) for host in hosts)
    run.wait_until((b.folder / STATE).exists)
    b.pull_the_cable()
    assert run.end() == 0, run.log
    assert "does not answer" in run.log
    assert run.log.count('"step": 25,') == 1
    assert_same_but_for_rounding(a.folder / "model", one)
    assert lost.end() == 1, lost.log
    assert "does not answer" in lost.log
    assert (b.folder / STATE).exists()  # all is there if a never comes back
    assert not (b.folder / "model").exists()


def test_a_host_that_is_asked_to_end_saves_and_the_other_goes_on(
    hosts: list[Host], one: Checkpoint
) -> None:
    a, b = hosts
    run, leaving = (host.launch("1:2", *STEPS) for host in hosts)
    run.wait_until((b.folder / STATE).exists)
    leaving.process.send_signal(signal.SIGTERM)
    assert leaving.end() != 0
    assert "does not answer" not in leaving.log  # it had time to stop with the others
    run.wait_for("group_world_size=1")
    assert run.end() == 0, run.log
    assert run.log.count('"step": 25,') == 1
    assert_same_but_for_rounding(a.folder / "model", one)


def test_hosts_with_other_data_are_refused_on_both(hosts: list[Host]) -> None:
    a, b = hosts
    (b.folder / "names.txt").write_text("\n".join(NAMES[1:]))
    for run in [host.launch("2", *STEPS, restarts=0) for host in hosts]:
        assert run.end() == 1, run.log
        assert "error: rank 1 on " in run.log
        assert "differs from rank 0 on " in run.log
        assert ": corpus ('" in run.log
    assert not (a.folder / "model").exists()

"""Work side by side: what comes back, what happens to the others when one fails."""

import os
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from training.corpus import CorpusError
from training.workers import Asked, side_by_side

WAIT_S = 60


def await_(condition: Callable[[], bool]) -> bool:
    """Whether it came true in time."""
    deadline = time.monotonic() + WAIT_S
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()


def worker_pid(path: Path, stop: Asked) -> int:
    del stop
    path.write_text(str(os.getpid()))
    return os.getpid()


def wait_to_be_asked(path: Path, stop: Asked) -> bool:
    path.write_text(str(os.getpid()))
    return await_(stop)


def fail(path: Path, stop: Asked) -> None:
    del stop
    raise CorpusError(f"{path}: no good")


def kill_oneself(stop: Asked) -> None:
    del stop
    os.kill(os.getpid(), signal.SIGKILL)


def ended(path: Path) -> bool:
    """Whether the process that wrote its number there has ended."""
    return not Path(f"/proc/{path.read_text()}").exists()


def test_each_piece_of_work_has_a_process_of_its_own_and_its_result(tmp_path: Path) -> None:
    others = [partial(worker_pid, tmp_path / str(i)) for i in range(2)]
    own, found = side_by_side(lambda _: os.getpid(), others)
    assert own == os.getpid()
    assert len({own, *found}) == 3
    assert [str(pid) for pid in found] == [(tmp_path / str(i)).read_text() for i in range(2)]
    assert ended(tmp_path / "0")


def test_alone_it_starts_no_process(tmp_path: Path) -> None:
    assert side_by_side(partial(worker_pid, tmp_path / "pid"), []) == (os.getpid(), [])


@pytest.mark.usefixtures("interruptible")
def test_a_signal_asks_this_process_and_its_workers_to_stop(tmp_path: Path) -> None:
    def own(stop: Asked) -> bool:
        assert await_((tmp_path / "pid").exists)
        os.kill(os.getpid(), signal.SIGINT)
        return stop()

    assert side_by_side(own, [partial(wait_to_be_asked, tmp_path / "pid")]) == (True, [True])
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_worker_that_is_still_starting_is_asked_all_the_same(tmp_path: Path) -> None:
    def own(stop: Asked) -> bool:
        os.kill(os.getpid(), signal.SIGTERM)
        return stop()

    assert side_by_side(own, [partial(wait_to_be_asked, tmp_path / "pid")]) == (True, [True])


def test_a_workers_error_stops_the_others_and_is_raised_here(tmp_path: Path) -> None:
    def own(stop: Asked) -> None:
        assert await_((tmp_path / "pid").exists)
        assert await_(stop)

    others = [partial(wait_to_be_asked, tmp_path / "pid"), partial(fail, tmp_path)]
    with pytest.raises(CorpusError, match="no good") as error:
        side_by_side(own, others[::-1])
    assert "In a worker process:" in error.value.__notes__[0]
    assert ended(tmp_path / "pid")


def test_a_worker_that_was_killed_is_told(tmp_path: Path) -> None:
    with pytest.raises(ChildProcessError, match="a worker process was killed; the same command"):
        side_by_side(await_, [kill_oneself])
    assert not list(tmp_path.iterdir())


def test_an_error_here_ends_the_workers_at_once(tmp_path: Path) -> None:
    def own(stop: Asked) -> None:
        del stop
        assert await_((tmp_path / "pid").exists)
        raise CorpusError("here")

    with pytest.raises(CorpusError, match="here"):
        side_by_side(own, [partial(wait_to_be_asked, tmp_path / "pid")])
    assert ended(tmp_path / "pid")

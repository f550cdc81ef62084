"""A process that waits for a core is told from one that hangs."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from app.starvation import Threads, is_starved, threads_of

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the system has no such /proc")

ENDLESS = "while True: pass"
LIMIT_S = 60


@contextmanager
def running(code: str) -> Iterator[int]:
    """A process of Python; its id."""
    process = subprocess.Popen([sys.executable, "-c", f"print('ready', flush=True)\n{code}"],
                               stdout=subprocess.PIPE)  # fmt: skip
    try:
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
        yield process.pid
    finally:
        process.kill()
        process.communicate()


def until(seen: str, pid: int) -> None:
    """Wait for a process to be in a state."""
    while [state for state, _ in threads_of(pid).values()] != [seen]:
        time.sleep(0.01)


def test_ready_twice_without_a_tick_between_is_to_wait_for_a_core() -> None:
    assert is_starved({1: ("S", 5), 2: ("R", 7)}, {1: ("S", 5), 2: ("R", 7)})
    assert not is_starved({2: ("R", 7)}, {2: ("R", 8)})  # it ran
    assert not is_starved({2: ("S", 7)}, {2: ("R", 7)})  # it is ready since just now
    assert not is_starved({2: ("S", 7)}, {2: ("S", 7)})  # it waits for something else
    assert not is_starved({}, {2: ("R", 7)})
    assert not is_starved({2: ("R", 7)}, {})


def test_who_computes_has_more_ticks_each_time() -> None:
    with running(ENDLESS) as pid:
        before = threads_of(pid)
        while threads_of(pid)[pid][1] == before[pid][1]:
            time.sleep(0.01)
        assert not is_starved(before, threads_of(pid))


@pytest.mark.parametrize("state", ["T", "S"], ids=["stopped", "asleep"])
def test_who_is_stopped_or_sleeps_does_not_wait_for_a_core(state: str) -> None:
    with running(ENDLESS if state == "T" else "import time; time.sleep(600)") as pid:
        if state == "T":
            os.kill(pid, signal.SIGSTOP)
        until(state, pid)
        before = threads_of(pid)
        assert not is_starved(before, threads_of(pid))


def test_who_gets_no_core_is_starved() -> None:
    # Its own core is taken by a process that no other one is let interrupt.
    cores = os.sched_getaffinity(0)
    if len(cores) < 2:
        pytest.skip("there is one core alone")
    with running(ENDLESS) as starving, running(ENDLESS) as greedy:
        os.sched_setaffinity(starving, {min(cores)})
        os.sched_setaffinity(greedy, {min(cores)})
        os.sched_setaffinity(0, cores - {min(cores)})
        try:
            os.sched_setscheduler(greedy, os.SCHED_FIFO, os.sched_param(1))
        except PermissionError:
            pytest.skip("no right to real time")
        finally:
            os.sched_setaffinity(0, cores)
        deadline = time.monotonic() + LIMIT_S
        before: Threads = {}
        while not is_starved(before, now := threads_of(starving)):  # it is let run now and then
            assert time.monotonic() < deadline, now
            before = now
            time.sleep(0.1)


def test_all_threads_of_this_process_are_seen_and_none_of_one_that_is_gone() -> None:
    event = threading.Event()
    thread = threading.Thread(target=event.wait)
    thread.start()
    assert {os.getpid(), thread.native_id} <= threads_of(os.getpid()).keys()
    event.set()
    thread.join()
    with running("pass") as pid:
        pass
    assert threads_of(pid) == {}

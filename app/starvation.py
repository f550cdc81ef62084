"""Whether a process has no chance to run: then its silence says nothing of its health.

A thread that is ready to run, and whose processor time stands still, waits for a core. Linux has
been seen to let some wait for most of a minute on a crowded machine.
"""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

Threads = Mapping[int, tuple[str, int]]
"""Of each thread, by its id: its state, a letter of proc(5), and its processor time in ticks."""

_RUNNABLE = "R"


def threads_of(pid: int) -> Threads:
    """Those of a process as they are now; empty where the system does not tell."""
    found = {}
    for stat in Path(f"/proc/{pid}/task").glob("*/stat"):
        with suppress(OSError, ValueError, IndexError):  # it has just ended
            fields = stat.read_text().rpartition(")")[2].split()
            found[int(stat.parent.name)] = fields[0], int(fields[11]) + int(fields[12])
    return found


def is_starved(before: Threads, now: Threads) -> bool:
    """Whether a thread was ready to run at both looks, and did not run between them."""
    return any(
        state == _RUNNABLE and before.get(thread) == (state, ticks)
        for thread, (state, ticks) in now.items()
    )

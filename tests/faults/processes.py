"""What a service's processes use, from /proc."""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.service.conftest import members

_QUIET_CPU = 0.1
"""Seconds of CPU a second, below which nothing is filled any more."""


@dataclass(frozen=True)
class Usage:
    """Of all processes of a group together, at one moment.

    Attributes:
        resident_mb: memory, of 10^6 bytes.
        descriptors: that are open.
        threads: that run.
        cpu_s: used so far.
    """

    resident_mb: float
    descriptors: int
    threads: int
    cpu_s: float

    @classmethod
    def of(cls, group: int) -> Self:
        """What a group uses now."""
        parts = [_of_process(Path(f"/proc/{pid}")) for pid in members(group)]
        return cls(*map(sum, zip(*parts, strict=True)))


def _of_process(folder: Path) -> tuple[float, int, int, float]:
    fields = (folder / "stat").read_text().rpartition(")")[2].split()
    pages = int((folder / "statm").read_text().split()[1])
    ticks = int(fields[11]) + int(fields[12])
    return (
        pages * os.sysconf("SC_PAGE_SIZE") / 1e6,
        len(list((folder / "fd").iterdir())),
        int(fields[17]),
        ticks / os.sysconf("SC_CLK_TCK"),
    )


def await_idle(group: int, limit_s: float) -> bool:
    """Wait until a group does nothing of its own, its tree and its pool full; or give up."""
    deadline = time.monotonic() + limit_s
    before = Usage.of(group).cpu_s
    while time.monotonic() < deadline:
        time.sleep(1)
        now = Usage.of(group).cpu_s
        if now - before < _QUIET_CPU:
            return True
        before = now
    return False

"""What a service's processes use, from /proc."""

import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.faults.report import Report
from tests.faults.scale import FULL
from tests.service.conftest import Service, members

REST_S = 600
"""At most, for the tree and the pool of the default sizes to be full."""
_CLOSED_S = 30
"""More than closing may take."""
_QUIET_CPU = 0.1
"""Seconds of CPU a second, below which nothing is filled any more."""

_TIME_WAIT, _LISTEN = "06", "0A"


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
        parts = [(0.0, 0, 0, 0.0)]
        for pid in members(group):
            with suppress(OSError):  # it has just ended
                parts.append(_of_process(Path(f"/proc/{pid}")))
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


def rest(service: Service, report: Report) -> None:
    """Wait until a service does nothing of its own, its tree and its pool full; in small, not."""
    let_go(service)
    await_no_connection(service.port)
    deadline = time.monotonic() + REST_S
    now = Usage.of(service.process.pid).cpu_s
    quiet = False
    while FULL and not quiet and time.monotonic() < deadline:
        before = now
        time.sleep(1)
        now = Usage.of(service.process.pid).cpu_s
        quiet = now - before < _QUIET_CPU
    report.add("at rest before", "yes" if quiet else "no", "yes")


def let_go(service: Service) -> None:
    """End the connection that the service's own client keeps open, so that it is not counted."""
    assert service.client.get("/livez", headers={"Connection": "close"}).status_code == 200


def await_no_connection(port: int) -> None:
    """Until a port of 127.0.0.1 has none: the service closes one after its answer has come."""
    deadline = time.monotonic() + _CLOSED_S
    while connections(port):
        assert time.monotonic() < deadline, f"{connections(port)} are still open"
        time.sleep(0.05)


def connections(port: int) -> int:
    """Those to a port of 127.0.0.1 that its listener still has."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    parts = [line.split() for line in lines]
    mine = [state for _, local, _, state, *_ in parts if local.endswith(f":{port:04X}")]
    return sum(state not in (_TIME_WAIT, _LISTEN) for state in mine)

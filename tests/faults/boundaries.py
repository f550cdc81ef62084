"""Every system call by which a process changes files: where it can be counted, and be killed.

Python's own functions are wrapped, those of os and files opened for writing, for paths below a
folder. A write is two: a kill can leave half of one.
"""

import io
import os
import signal
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

_CALLS = ("mkdir", "rmdir", "unlink", "remove", "rename", "replace", "fsync", "truncate")

Boundary = Callable[[str], None]


def die_before(folder: Path, k: int) -> None:
    """From now on, end this process by SIGKILL before its k-th such operation, from 0."""
    numbers = count()

    def boundary(_kind: str) -> None:
        if next(numbers) == k:
            os.kill(os.getpid(), signal.SIGKILL)

    _watch(folder, boundary)


def count_boundaries(folder: Path, kinds: Path) -> None:
    """From now on, add the kind of each such operation to the file `kinds`, a line each."""
    kinds.write_text("")
    log = os.open(kinds, os.O_WRONLY | os.O_APPEND)
    _watch(folder, lambda kind: os.write(log, f"{kind}\n".encode()) and None)


def _watch(folder: Path, boundary: Boundary) -> None:
    below = str(folder) + os.sep
    for name in _CALLS:
        setattr(os, name, _guarded(getattr(os, name), name, below, boundary))
    opened = io.open

    def watched_open(file: Any, mode: str = "r", *others: Any, **options: Any) -> Any:
        if mode != "wb" or not str(file).startswith(below):
            return opened(file, mode, *others, **options)
        boundary("open")
        return io.BufferedWriter(_Raw(file, boundary))

    io.open = watched_open  # type: ignore[assignment]


def _guarded(function: Any, name: str, below: str, boundary: Boundary) -> Any:
    def call(first: Any, *others: Any, **options: Any) -> Any:
        # By descriptors only what was opened below is removed or synced.
        if type(first) is int or "dir_fd" in options or str(first).startswith(below):
            boundary(name)
        return function(first, *others, **options)

    return call


class _Raw(io.FileIO):
    """A file whose every write and whose end are boundaries."""

    def __init__(self, file: Any, boundary: Boundary) -> None:
        super().__init__(file, "w")
        self._boundary = boundary

    def write(self, data: Any) -> int:
        """Half of the data, and the other half."""
        view = memoryview(data)
        return sum(self._halves(view))

    def _halves(self, view: memoryview) -> Iterator[int]:
        middle = len(view) // 2
        for half in (view[:middle], view[middle:]):
            self._boundary("write")
            yield super().write(half)

    def close(self) -> None:
        """Once a boundary."""
        if not self.closed:
            self._boundary("close")
        super().close()

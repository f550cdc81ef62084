"""Checkpoints that must not be served, loaded one after the other: said by what name, at what cost.

The cost is that of the loading process, this one: seconds, and by how much the most memory that
it ever held grew (Linux tells, and lets one begin anew).
"""

import hashlib
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from models.checkpoint import load_checkpoint
from models.errors import CheckpointError
from models.storage import SCHEMA, to_json

HANG_LIMIT_S = 60
"""Far above any load: only what waits for ever comes to it."""
MEMORY_LIMIT_MB = 64
"""That a refusal may take beyond what is held before."""

_RESET_PEAK = "5"


class Refusals:
    """What came of loading damaged checkpoints.

    Attributes:
        refused: how many were refused by the name of a file.
        wrong: of the others, what was wrong with them and what was said of it.
    """

    def __init__(self) -> None:
        self.refused = 0
        self.wrong: list[tuple[str, str]] = []
        self._slowest_s = self._most_cpu_s = 0.0
        self._most_kb = 0

    def load(self, folder: Path, what: str, *named: Path) -> None:
        """Load a checkpoint that must be refused.

        Args:
            folder: the checkpoint.
            what: is wrong with it.
            named: the files one of which must be said to be at fault; any if none is given.
        """
        said = self._said(folder)
        path = Path(said.path) if said else folder
        if said and path != folder and path.is_relative_to(folder) and (not named or path in named):
            self.refused += 1
        else:
            self.wrong.append((what, str(said or "accepted")))

    def _said(self, folder: Path) -> CheckpointError | None:
        before, started, worked = _begin_peak(), time.perf_counter(), time.process_time()
        try:
            with _hanging_is_an_error():
                load_checkpoint(folder)
        except CheckpointError as error:
            self._slowest_s = max(self._slowest_s, time.perf_counter() - started)
            self._most_cpu_s = max(self._most_cpu_s, time.process_time() - worked)
            self._most_kb = max(self._most_kb, _memory("VmHWM") - before)
            return error
        return None

    def verify(self) -> dict[str, object]:
        """Check that all were refused and that none took much memory; the figures."""
        assert not self.wrong, f"{len(self.wrong)} of them: {self.wrong[:10]}"
        assert self.refused > 0
        assert self._most_kb <= MEMORY_LIMIT_MB * 1024
        return {
            "refused": self.refused,
            "slowest_ms": round(1000 * self._slowest_s, 1),
            "most_cpu_ms": round(1000 * self._most_cpu_s, 1),
            "most_memory_mb": round(self._most_kb / 1024, 1),
        }


def files_of(folder: Path) -> list[Path]:
    """Of a checkpoint, the manifest and the pictures too."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def certify(folder: Path) -> None:
    """Make the manifest right again: what one does who damages a file and knows the format."""
    manifest = folder / "manifest.json"
    entries = {str(p.relative_to(folder)): _entry(p) for p in files_of(folder) if p != manifest}
    manifest.write_bytes(to_json({"schema": SCHEMA, "files": entries}))


def _entry(path: Path) -> dict[str, object]:
    size = path.stat().st_size
    # Nobody hashes 100 GB of nothing; that they are refused must not hang on it.
    sha256 = "0" * 64 if size > 1 << 30 else hashlib.sha256(path.read_bytes()).hexdigest()
    return {"sha256": sha256, "bytes": size}


@contextmanager
def restored(path: Path) -> Iterator[bytes]:
    """Within, `path` may be anything; afterwards it is the file that it was, and so the manifest.

    Gives its content.
    """
    manifest = next(p / "manifest.json" for p in path.parents if (p / "config.json").exists())
    kept = {file: file.read_bytes() for file in (path, manifest)}
    yield kept[path]
    for file, data in kept.items():
        if file.is_dir() and not file.is_symlink():
            file.rmdir()
        else:
            file.unlink(missing_ok=True)
        file.write_bytes(data)


def _begin_peak() -> int:
    """What is held now, kB, and the most from now on."""
    Path("/proc/self/clear_refs").write_text(_RESET_PEAK)
    return _memory("VmHWM")


def _memory(field: str) -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.partition(f"{field}:")[2].split()[0])


@contextmanager
def _hanging_is_an_error() -> Iterator[None]:
    def give_up(*_: object) -> None:
        raise TimeoutError(f"not loaded in {HANG_LIMIT_S} s")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(HANG_LIMIT_S)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)

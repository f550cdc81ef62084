"""Parts of a core: several small machines on one that has few cores. Not a benchmark itself."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")
_PERIOD_US = 10_000


@contextmanager
def limited(processes: dict[str, int], share: float) -> Iterator[None]:
    """Within, each process has so much of a core and no more; Linux, as root.

    Args:
        processes: their ids, each under a name of its own.
        share: of a core, in every 10 ms.
    """
    # The processor's own hierarchy, where there are several; else the one for all.
    old = (_ROOT / "cpu").is_dir()
    root = _ROOT / "cpu" if old else _ROOT
    quota = str(round(share * _PERIOD_US))
    folders = {root / f"namewright-{os.getpid()}-{name}": pid for name, pid in processes.items()}
    try:
        for folder, pid in folders.items():
            folder.mkdir()
            if old:
                (folder / "cpu.cfs_period_us").write_text(str(_PERIOD_US))
                (folder / "cpu.cfs_quota_us").write_text(quota)
            else:
                (folder / "cpu.max").write_text(f"{quota} {_PERIOD_US}")
            (folder / "cgroup.procs").write_text(str(pid))
        yield
    except PermissionError as error:
        raise SystemExit(f"control groups cannot be made here: {error}") from error
    finally:
        for folder, pid in folders.items():
            if folder.is_dir():
                (root / "cgroup.procs").write_text(str(pid))
                folder.rmdir()

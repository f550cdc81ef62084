"""Files that a verb writes beside checkpoints: checked before the work, written whole."""

import os
import tempfile
from pathlib import Path

from models.errors import ConfigError

_SVG_START = b"<svg"


def check_target(option: str, path: Path) -> None:
    """Refuse, before any work is done, what could not or should not be written.

    Args:
        option: the option that named it, for the message.
        path: the file; its suffix is what it is to be, and an SVG replaces an SVG only.

    Raises:
        ConfigError: naming the fault and the remedy.
    """
    if not path.parent.is_dir():
        raise ConfigError(f"{option} {path}: there is no folder {path.parent}; make it first")
    if path.is_dir():
        raise ConfigError(f"{option} {path}: a folder; give the name of a file")
    if not os.access(path.parent, os.W_OK):
        raise ConfigError(f"{option} {path}: {path.parent} cannot be written to")
    if path.suffix == ".svg" and path.exists() and not _is_svg(path):
        raise ConfigError(f"{option} {path}: is there and is no SVG; remove it or name another")


def check_suffix(option: str, path: Path, suffix: str) -> None:
    """Raise ConfigError unless the file is named for what it is to be."""
    if path.suffix != suffix:
        raise ConfigError(f"{option} {path}: must end in {suffix}")


def write_file(path: Path, data: bytes) -> None:
    """Replace a file, atomically.

    Raises:
        OSError: the disk is full, say; what was there before still is.
    """
    descriptor, partial = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(partial, 0o644)
        os.replace(partial, path)
    except BaseException:
        Path(partial).unlink(missing_ok=True)
        raise


def _is_svg(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_SVG_START)) == _SVG_START

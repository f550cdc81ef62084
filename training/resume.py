"""Where a run stands, on disk: what a killed one goes on from.

A file a run, replaced whole at every look at the dev part. It names the run it
belongs to, and a run of other data or settings does not take it up.

Each of several hosts keeps it, so that any of them can be lost. Whether they share a
disk does not matter: all go on from the newest state that any of them has.
"""

import io
import os
import pickle
import platform
import zipfile
import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from models.errors import NamewrightError
from training.parallel import Group

_DAMAGE = (
    OSError, RuntimeError, EOFError, LookupError, TypeError, ValueError, AttributeError,
    AssertionError, pickle.UnpicklingError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip
"""What comes of reading damaged bytes; NotImplementedError is a RuntimeError, too."""


class ResumeError(NamewrightError, ValueError):
    """A run's saved state cannot be taken up."""


@dataclass(frozen=True)
class Place:
    """A file for the state of one run.

    Attributes:
        path: the file; its folder is created if need be.
        identity: all that decides the run's numbers, as plain values by name.
        writer: which of the processes that may write the file at once this one is.
    """

    path: Path
    identity: Mapping[str, Any]
    writer: int = 0

    def load(self) -> dict[str, Any] | None:
        """The saved state, or None where there is none.

        Raises:
            ResumeError: it is damaged or belongs to another run, naming what differs.
        """
        try:
            saved = _read(self.path)
            identity, state = saved["identity"], saved["state"]
        except (FileNotFoundError, NotADirectoryError):
            return None
        except _DAMAGE as error:
            reason = (str(error) or type(error).__name__).splitlines()[0][:200]
            raise ResumeError(
                f"{self.path}: cannot be read: {reason}. To begin anew, {self._remedy}"
            ) from error
        mine = dict(self.identity)
        if identity != mine:
            names = sorted({*identity, *mine})
            changed = ", ".join(
                f"{name} (was {_shorten(identity.get(name))}, is {_shorten(mine.get(name))})"
                for name in names
                if identity.get(name) != mine.get(name)
            )
            raise ResumeError(
                f"{self.path}: belongs to another run; changed: {changed}. "
                f"Run it as it was, or, to begin anew, {self._remedy}"
            )
        found: dict[str, Any] = state
        return found

    @property
    def _remedy(self) -> str:
        """Of several hosts the message comes from all, and --restart is refused on each."""
        if dist.is_torchelastic_launched():
            return f"remove {self.path.parent} on {platform.node()}"
        return "say --restart"

    def save(self, state: Mapping[str, Any]) -> None:
        """Replace the saved state, atomically.

        Raises:
            OSError: the disk is full, say, naming the file; what was saved before still is.
        """
        buffer = io.BytesIO()
        torch.save({"identity": dict(self.identity), "state": dict(state)}, buffer)
        partial = self.path.with_name(f"{self.path.name}.{self.writer}.partial")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with partial.open("wb") as file:
                file.write(buffer.getbuffer())
                file.flush()
                os.fsync(file.fileno())
            os.replace(partial, self.path)
        except OSError as error:
            with suppress(OSError):
                partial.unlink(missing_ok=True)  # it would take room on a full disk
            raise OSError(error.errno, error.strerror, str(self.path)) from error


def load_newest(place: Place, group: Group) -> dict[str, Any] | None:
    """The state of the most steps that any process finds at its place; the same one for all.

    Raises:
        ResumeError: from every process, if the file of any is damaged or of another run.
        LostProcessError: another process has gone.
    """
    state, fault = None, None
    try:
        state = place.load()
    except ResumeError as error:
        fault = str(error)
    step = state["progress"]["step"] if state else -1
    steps, faults = zip(*group.gather((step, fault)), strict=True)
    if found := next(filter(None, faults), None):
        raise ResumeError(found)
    return group.from_rank(steps.index(max(steps)), state)


def _read(path: Path) -> Any:
    """What a file of `save` holds; torch.load alone takes flipped bits for weights."""
    data = io.BytesIO(path.read_bytes())
    with zipfile.ZipFile(data) as archive:
        if damaged := archive.testzip():
            raise zipfile.BadZipFile(f"wrong checksum of {damaged}")
    data.seek(0)
    return torch.load(data, map_location="cpu", weights_only=True)


def _shorten(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."

"""A folder of hashed files, replaced whole or not at all, read strictly.

Writing: all files go to `.incoming/` and are synced, the manifest last: that is
the moment of commitment. Then they move up, the manifest last again. A kill at
any point leaves the old folder or the new one, because a reader takes each file
from a committed `.incoming/` first. Files may lie one folder down, as `plots/loss.svg`.
What the last set had and the new one has not is removed before the manifest moves,
so that a kill leaves the old manifest to say what is still to remove.

Reading: a manifest names every file with its size and sha256, and both are
compared before a byte is parsed. Links and special files are refused; what the
manifest does not name is not looked at.
"""

import errno
import hashlib
import json
import os
import re
import shutil
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from models.errors import CheckpointError

SCHEMA = 1
MAX_FILE_BYTES = 1 << 30
MAX_MANIFEST_BYTES = 1 << 20

_MANIFEST = "manifest.json"
_INCOMING = ".incoming"
_NAME = re.compile(r"([a-z]+/)?[a-z][a-z0-9_-]*\.[a-z]+")
"""Of every file but the manifest; it leads nowhere but into the folder."""


def to_json(value: object) -> bytes:
    """Our one way to write a JSON file, so that every byte of it can be checked.

    Raises:
        ValueError: NaN or an infinity is in it.
    """
    text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return text.encode() + b"\n"


def parse_json(data: bytes) -> Any:
    """JSON as the standard has it.

    Raises:
        ValueError: it is not JSON or not UTF-8, or holds NaN or an infinity.
    """

    def refuse(token: str) -> None:
        raise ValueError(f"{token} is not JSON")

    try:
        return json.loads(data, parse_constant=refuse)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def require_keys(values: Mapping[str, Any], expected: Iterable[str]) -> None:
    """Raise ValueError, naming the odd ones, unless the keys are exactly `expected`."""
    if odd := set(values) ^ set(expected):
        raise ValueError(f"missing or unknown keys: {', '.join(sorted(odd))}")


def read_folder(
    folder: Path, names: Iterable[str], optional: re.Pattern[str] | None = None
) -> dict[str, bytes]:
    """The files of a folder, verified.

    Args:
        folder: one that `write_folder` wrote.
        names: the files that it must hold.
        optional: the names of others that it may hold; None: it may hold no others.

    Raises:
        CheckpointError: naming the file and what is wrong with it.
    """
    incoming = folder / _INCOMING
    if incoming.is_symlink():
        raise CheckpointError(incoming, "a link")
    roots = (incoming, folder) if os.path.lexists(incoming / _MANIFEST) else (folder,)
    manifest = roots[0] / _MANIFEST
    raw = _read_regular(manifest, MAX_MANIFEST_BYTES)
    try:
        entries = _parse_manifest(raw, names, optional)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise CheckpointError(manifest, f"not a valid manifest: {error}") from error
    files = {}
    for name, (size, sha256) in entries.items():
        path = next((r / name for r in roots if os.path.lexists(r / name)), folder / name)
        if path.parent.is_symlink() and "/" in name:
            raise CheckpointError(path.parent, "a link")
        data = _read_regular(path, size)
        if len(data) != size:
            raise CheckpointError(path, f"truncated: {len(data)} of {size} bytes")
        if hashlib.sha256(data).hexdigest() != sha256:
            raise CheckpointError(path, "damaged: its sha256 is not the one in the manifest")
        files[name] = data
    return files


def write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Replace what `write_folder` wrote to `folder` before, atomically.

    Args:
        folder: created if need be.
        files: name to content; all that the folder is to hold.

    Raises:
        ValueError: a name is not one that a file can have here.
        OSError: the disk is full, say; the old content is still there.
    """
    if odd := [name for name in files if not _NAME.fullmatch(name)]:
        raise ValueError(f"not names of files here: {', '.join(odd)}")
    incoming = folder / _INCOMING
    if (incoming / _MANIFEST).exists():  # an earlier writer was killed after it had committed
        _move_up(incoming, folder)
    elif incoming.exists():  # before: what it left must not move up with what comes now
        shutil.rmtree(incoming)
    subfolders = sorted({name.partition("/")[0] for name in files if "/" in name})
    for subfolder in subfolders:  # what is in their way must show before the commitment
        _check_subfolder(folder / subfolder)
    incoming.mkdir(parents=True, exist_ok=True)
    for subfolder in subfolders:
        (incoming / subfolder).mkdir()
    for name, data in files.items():
        write_synced(incoming / name, data)
    partial = incoming / (_MANIFEST + ".partial")
    write_synced(partial, _manifest(files))
    for subfolder in subfolders:
        sync_folder(incoming / subfolder)
    sync_folder(incoming)
    os.replace(partial, incoming / _MANIFEST)
    sync_folder(incoming)
    _move_up(incoming, folder)


def _manifest(files: Mapping[str, bytes]) -> bytes:
    entries = {
        name: {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
        for name, data in files.items()
    }
    return to_json({"schema": SCHEMA, "files": entries})


def _parse_manifest(
    raw: bytes, names: Iterable[str], optional: re.Pattern[str] | None
) -> dict[str, tuple[int, str]]:
    manifest = parse_json(raw)
    require_keys(manifest, {"schema", "files"})
    # No hash covers the manifest, so no byte of it may be without meaning.
    if manifest["schema"] != SCHEMA or to_json(manifest) != raw:
        raise ValueError(f"not one that this version writes (schema {SCHEMA})")
    due = [name for name in manifest["files"] if not (optional and optional.fullmatch(name))]
    require_keys(dict.fromkeys(due), names)
    for entry in manifest["files"].values():
        require_keys(entry, {"sha256", "bytes"})
        if type(entry["bytes"]) is not int or entry["bytes"] < 0:
            raise ValueError("a size is a whole number of bytes")
    return {name: (e["bytes"], e["sha256"]) for name, e in manifest["files"].items()}


def _read_regular(path: Path, limit: int) -> bytes:
    """The content of a regular file of at most `limit` bytes."""
    try:
        # O_NONBLOCK: opening a FIFO must not wait for a writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise CheckpointError(path, f"cannot be read: {error.strerror}") from error
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise CheckpointError(path, "not a regular file")
    with os.fdopen(descriptor, "rb") as file:
        if status.st_size > min(limit, MAX_FILE_BYTES):
            raise CheckpointError(path, f"too large: {status.st_size} bytes where {limit} are due")
        return file.read(status.st_size)


def _move_up(incoming: Path, folder: Path) -> None:
    """Bring a committed `.incoming/` to its place; safe to repeat after a kill."""
    subfolders = sorted(path for path in incoming.iterdir() if path.is_dir())
    for subfolder in subfolders:
        _check_subfolder(folder / subfolder.name)
        (folder / subfolder.name).mkdir(exist_ok=True)
        _replace_all(subfolder, folder / subfolder.name)
        sync_folder(folder / subfolder.name)
    for name in _named_in(folder / _MANIFEST) - _named_in(incoming / _MANIFEST):
        _remove(folder, name)
    _replace_all(incoming, folder)
    sync_folder(folder)
    for path in (*subfolders, incoming):
        path.rmdir()


def _replace_all(source: Path, target: Path) -> None:
    """Move the files of one folder to another, the manifest last."""
    files = (path for path in source.iterdir() if not path.is_dir())
    for path in sorted(files, key=lambda path: path.name == _MANIFEST):
        os.replace(path, target / path.name)


def _named_in(manifest: Path) -> set[str]:
    """The files that a manifest names; none where it is not to be relied on."""
    try:
        files = parse_json(_read_regular(manifest, MAX_MANIFEST_BYTES))["files"]
        return {name for name in files if _NAME.fullmatch(name)}
    except (CheckpointError, ValueError, TypeError, KeyError):
        return set()


def _remove(folder: Path, name: str) -> None:
    """Remove a file that is no longer part of the set, and its sub-folder if that is empty then."""
    path = folder / name
    if path.parent.is_symlink() and path.parent != folder:  # what lies there is not ours
        return
    path.unlink(missing_ok=True)
    if path.parent != folder and path.parent.is_dir() and not any(path.parent.iterdir()):
        path.parent.rmdir()


def _check_subfolder(path: Path) -> None:
    """Raise FileExistsError where something else than a folder of ours is in its place."""
    if os.path.lexists(path) and (path.is_symlink() or not path.is_dir()):
        raise FileExistsError(errno.EEXIST, "a link or a file where a folder is due", str(path))


def write_synced(path: Path, data: bytes) -> None:
    """Write a file of which all is on the disk on return."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """See to it that the names in a folder survive a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

"""The folder of a job: whose it is, and what is in it once all is there.

`_job.json` is written first, `_manifest.json` last. Their names begin with an underscore, and
those of files that are not whole with a dot: what reads folders of Parquet passes both over.
"""

import fcntl
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from bulk.errors import FolderError
from bulk.job import SCHEMA, Job
from bulk.part_file import PARTIAL, Written
from models.storage import parse_json, require_keys, sync_folder, to_json, write_synced

JOB = "_job.json"
MANIFEST = "_manifest.json"
_PARTIAL_JSON = "._*.partial"


@contextmanager
def claimed(folder: Path, job: Job) -> Iterator[None]:
    """A folder for one run of a job: made if need be, and kept from others meanwhile.

    Raises:
        FolderError: it is another job's, holds something else, or a run is under way there.
        OSError: it cannot be written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / JOB
    if not path.exists():
        other = [each.name for each in folder.iterdir() if not each.match(_PARTIAL_JSON)]
        if other and not path.exists():
            raise FolderError(f"{folder}: holds {min(other)} and no {JOB}; take an empty folder")
        _describe(path, job)
    with path.open("r+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise FolderError(f"{folder}: another run is at work there") from error
        _check(path, file.read(), job)
        remove_leftovers(folder)
        try:
            yield
        finally:
            remove_leftovers(folder)


def check_folder(folder: Path, job: Job) -> None:
    """See that a folder is still this job's.

    Raises:
        FolderError: it is another job's by now.
        OSError: it is gone.
    """
    path = folder / JOB
    _check(path, path.read_bytes(), job)


def remove_leftovers(folder: Path) -> None:
    """Remove what those who were killed have left half written."""
    for pattern in (PARTIAL, _PARTIAL_JSON):
        for path in folder.glob(pattern):
            path.unlink(missing_ok=True)


def read_manifest(folder: Path) -> dict[str, str]:
    """The sha256 of each file, of a job that has been completed; empty where there is no such."""
    try:
        files = parse_json((folder / MANIFEST).read_bytes())["files"]
        return {name: str(entry["sha256"]) for name, entry in files.items()}
    except (FileNotFoundError, ValueError, TypeError, KeyError, AttributeError):
        return {}


def write_manifest(folder: Path, files: Mapping[str, Written]) -> int:
    """Write that a job is complete; returns how many rows it has."""
    rows = sum(written.rows for written in files.values())
    entries = {name: {"rows": each.rows, "sha256": each.sha256} for name, each in files.items()}
    _write(folder / MANIFEST, {"schema": SCHEMA, "rows": rows, "files": entries})
    return rows


def _check(path: Path, data: bytes, job: Job) -> None:
    try:
        about = parse_json(data)
        require_keys(about, job.about)
        differences = job.differences(about)
    except (ValueError, TypeError, AttributeError) as error:
        raise FolderError(f"{path}: not the description of a job: {error}") from error
    if differences:
        raise FolderError(f"{path.parent}: is of another job ({differences}); take an empty folder")


def _describe(path: Path, job: Job) -> None:
    """Write what the job is, unless another run comes first: the file that is there stays."""
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    write_synced(partial, to_json(job.about))
    # Another run that has come first removes what looks left over.
    with suppress(FileExistsError, FileNotFoundError):
        os.link(partial, path)
    partial.unlink(missing_ok=True)
    sync_folder(path.parent)


def _write(path: Path, value: Mapping[str, Any]) -> None:
    partial = path.with_name(f".{path.name}.partial")
    write_synced(partial, to_json(value))
    os.replace(partial, path)
    sync_folder(path.parent)

"""A shard's file: Parquet that is there whole or not at all, and whose bytes its rows decide.

It is written under another name, synced, and renamed. Every page has a checksum and the footer
says which rows of which job these are, so whether a file is whole can be told from it alone.
"""

import hashlib
import os
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from models.storage import sync_folder

_GROUP = 100_000
"""Rows of a group, about: the footer, which is in memory whole, has some bytes of each."""
PARTIAL = ".part-*.partial"
"""Files that are being written; left behind only by who was killed."""


@dataclass(frozen=True)
class Written:
    """A file that is whole.

    Attributes:
        rows: how many it has.
        sha256: of its bytes.
    """

    rows: int
    sha256: str


def write_part(
    path: Path,
    schema: pa.Schema,
    about: Mapping[str, str],
    batches: Iterable[pa.RecordBatch],
    check: Callable[[], None] = lambda: None,
) -> Written:
    """Write a file; one that was there is replaced.

    Args:
        path: its name at last, in a folder that is there.
        schema: of its rows.
        about: what its footer says beside.
        batches: its rows, which are never in memory all at once.
        check: called before it gets its name; raises if it must not any more.

    Raises:
        OSError: the disk is full, say; nothing is left of it then.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.partial")
    try:
        with partial.open("xb") as file:
            rows = _write(file, schema.with_metadata(dict(about)), batches)
            file.flush()
            os.fsync(file.fileno())
        sha256 = _sha256(partial)
        check()
        os.replace(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)
    return Written(rows, sha256)


def read_part(path: Path, schema: pa.Schema, about: Mapping[str, str]) -> Written | None:
    """What `write_part` has written before with these arguments; None if it is not whole."""
    expected = {name.encode(): value.encode() for name, value in about.items()}
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            found = file.schema_arrow
            if found.remove_metadata() != schema or (found.metadata or {}) != expected:
                return None
            rows = sum(len(batch) for batch in file.iter_batches())
            if rows != file.metadata.num_rows:
                return None
        return Written(rows, _sha256(path))
    except (OSError, pa.ArrowException, UnicodeDecodeError):  # the last: of a name of a column
        return None


def _write(file: object, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> int:
    rows = 0
    with pq.ParquetWriter(
        file,
        schema,
        compression="zstd",
        use_dictionary=[name for name in schema.names if name != "index"],
        column_encoding={"index": "DELTA_BINARY_PACKED"},
        write_page_checksum=True,
    ) as writer:
        for group in _groups(batches):
            writer.write_table(
                pa.Table.from_batches(group).replace_schema_metadata(schema.metadata)
            )
            rows += sum(map(len, group))
    return rows


def _groups(batches: Iterable[pa.RecordBatch]) -> Iterator[list[pa.RecordBatch]]:
    """Batches that make a group of rows each."""
    group, rows = list[pa.RecordBatch](), 0
    for batch in filter(len, batches):
        group.append(batch)
        rows += len(batch)
        if rows >= _GROUP:
            yield group
            group, rows = [], 0
    if group:
        yield group


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

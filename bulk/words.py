"""Files of words: the lines of a text, or a column of Parquet, by ranges."""

import hashlib
from codecs import BOM_UTF8
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bulk.errors import ShardError
from bulk.shards import MAX_SHARDS, Shard, shards
from models.errors import ParameterError

_BLOCK = 1 << 20
_NEWLINE = 10
_ROWS = 10_000
"""Of Parquet, at a time."""


class Words(Protocol):
    """A file of words, each with its index, counted from 0."""

    def survey(self, size: int) -> tuple[str, list[Shard]]:
        """The sha256 of the file, and its words as shards of `size`."""

    def sha256(self) -> str:
        """That of the file alone."""

    def is_current(self) -> bool:
        """Whether the file is as it was when it was opened here, as far as the system tells."""

    def read(self, shard: Shard) -> Iterator[str | None]:
        """The words of a shard; None for what is no text.

        Raises:
            ShardError: at the end, if the file has changed since it was opened here.
        """


def open_words(path: Path, column: str) -> Words:
    """The words of a file.

    Args:
        path: `*.parquet`, or else a text.
        column: of Parquet.

    Raises:
        ParameterError: there is no such column, or it holds no text; or it is no regular file,
            which each worker could read for itself.
        OSError: there is no such file.
    """
    return Column(path, column) if path.suffix == ".parquet" else Lines(path)


class _File:
    """What both kinds have: a file that is to stay as it is."""

    def __init__(self, path: Path) -> None:
        if path.exists() and not path.is_file():
            raise ParameterError("words", f"{path} is no regular file")
        self._path = path
        self._state = self._seen()

    def sha256(self) -> str:
        """As of any words."""
        with self._path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def is_current(self) -> bool:
        """As of any words."""
        return self._path.exists() and self._seen() == self._state

    def _seen(self) -> tuple[int, int, int]:
        found = self._path.stat()
        return found.st_ino, found.st_size, found.st_mtime_ns

    def _check(self) -> None:
        if not self.is_current():
            raise ShardError(f"{self._path} has changed meanwhile")


class Lines(_File):
    """A word a line, in UTF-8.

    The last line may have no end, any may have a carriage return, and the first a byte order mark.
    """

    def survey(self, size: int) -> tuple[str, list[Shard]]:
        """As of any words; the file is read once."""
        sha256, lines, last = hashlib.sha256(), 0, _NEWLINE
        with self._path.open("rb") as file:
            mark = file.read(len(BOM_UTF8))
            read = len(BOM_UTF8) if mark == BOM_UTF8 else 0
            sha256.update(mark[:read])
            file.seek(read)
            begins = [read]  # of the lines that begin a shard
            while block := file.read(_BLOCK):
                sha256.update(block)
                ends = np.flatnonzero(np.frombuffer(block, np.uint8) == _NEWLINE)
                if len(begins) <= MAX_SHARDS:  # else they are too many, which is told at the end
                    chosen = ends[(lines + np.arange(1, len(ends) + 1)) % size == 0]
                    begins += (read + 1 + chosen).tolist()
                lines, read, last = lines + len(ends), read + len(block), block[-1]
        lines += last != _NEWLINE
        cut = shards(0, lines, size)
        found = [Shard(each.number, each.first, each.count, begins[each.number]) for each in cut]
        return sha256.hexdigest(), found

    def read(self, shard: Shard) -> Iterator[str | None]:
        """As of any words."""
        with self._path.open("rb") as file:
            file.seek(shard.begin)
            for line in islice(file, shard.count):
                yield _text(line.removesuffix(b"\n").removesuffix(b"\r"))
        self._check()


class Column(_File):
    """A column of a file of Parquet."""

    def __init__(self, path: Path, column: str) -> None:
        super().__init__(path)
        self._column = column
        with self._open() as file:
            schema = file.schema_arrow
            kind = schema.field(column).type if schema.names.count(column) == 1 else None
        if kind is None or not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
            having = ", ".join(schema.names)
            raise ParameterError("column", f"is no column of text in {path}, which has {having}")

    def survey(self, size: int) -> tuple[str, list[Shard]]:
        """As of any words."""
        with self._open() as file:
            return self.sha256(), list(shards(0, file.metadata.num_rows, size))

    def read(self, shard: Shard) -> Iterator[str | None]:
        """As of any words."""
        with self._open() as file:
            wanted, before = [], 0  # groups of rows that have some of it; rows before them
            end = 0
            for group in range(file.num_row_groups):
                begin, end = end, end + file.metadata.row_group(group).num_rows
                if end <= shard.first:
                    before = end
                elif begin < shard.first + shard.count:
                    wanted.append(group)
            skip, left = shard.first - before, shard.count
            for batch in file.iter_batches(_ROWS, wanted, [self._column]):
                cells = batch[0].slice(skip, left)
                skip, left = max(0, skip - len(batch)), left - len(cells)
                # As bytes: one cell that is no UTF-8 must not cost all the others.
                for cell in cells.cast(pa.large_binary()):
                    yield None if (data := cell.as_py()) is None else _text(data)
                if not left:
                    break
        self._check()

    def _open(self) -> pq.ParquetFile:
        try:
            return pq.ParquetFile(self._path)
        except pa.ArrowInvalid as error:
            raise ParameterError("words", f"{self._path}: {error}") from error


def _text(data: bytes) -> str | None:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None

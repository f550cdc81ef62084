"""How a job is cut: into ranges of indexes, each a file of its own."""

from collections.abc import Iterator
from dataclasses import dataclass

from models.errors import ParameterError

MAX_SHARDS = 100_000
"""Files that a folder, and a manifest that is written at once, can well have."""


@dataclass(frozen=True)
class Shard:
    """A range of indexes.

    Attributes:
        number: of the shard, counted from 0.
        first: the first index.
        count: how many indexes, >= 1; not of rows, of which there may be fewer.
        begin: where it begins in what it is made of: a byte of a file of lines.
    """

    number: int
    first: int
    count: int
    begin: int = 0

    @property
    def file(self) -> str:
        """The name of its file."""
        return f"part-{self.number:08}.parquet"

    def __str__(self) -> str:
        return f"{self.file} (indexes {self.first} to {self.first + self.count - 1})"


def shards(first: int, count: int, size: int) -> Iterator[Shard]:
    """`count` indexes from `first` on as shards of `size`, of which the last may be smaller.

    Raises:
        ParameterError: there would be more than MAX_SHARDS.
    """
    if count > MAX_SHARDS * size:
        least = -(-count // MAX_SHARDS)
        raise ParameterError("shard", f"makes more than {MAX_SHARDS} files; allowed: {least} on")
    return (
        Shard(number, first + begin, min(size, count - begin))
        for number, begin in enumerate(range(0, count, size))
    )

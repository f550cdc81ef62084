"""What a worker does: the file of a shard, unless it is there already."""

from pathlib import Path

import pyarrow as pa

from bulk.errors import ShardError
from bulk.order import open_order
from bulk.part_file import read_part, write_part
from bulk.shards import Shard
from models.errors import NamewrightError


def make_part(
    order: str, folder: str, shard: tuple[int, int, int, int], sha256: str | None
) -> tuple[int, str]:
    """See to it that a shard's file is there.

    Args:
        order: what `write_order` gives.
        folder: where the files go; it is there.
        shard: its number, first index, count, and where it begins.
        sha256: of the file, where that is known from an earlier run.

    Returns:
        How many rows it has, and its sha256.

    Raises:
        ShardError: whatever was foreseen; other errors are bugs.
    """
    try:
        opened, wanted = open_order(order), Shard(*shard)
        path, about = Path(folder) / wanted.file, opened.job.footer(wanted)
        written = read_part(path, opened.rows.schema, about) if path.exists() else None
        if not written or sha256 not in (None, written.sha256):
            rows = opened.rows.batches(wanted)
            written = write_part(path, opened.rows.schema, about, rows)
        return written.rows, written.sha256
    except (NamewrightError, OSError, pa.ArrowException) as error:
        raise ShardError(str(error)) from None

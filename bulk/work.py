"""What a worker does: the file of a shard, unless it is there already."""

from contextlib import closing
from functools import partial
from pathlib import Path
from threading import Lock

import pyarrow as pa

from bulk.errors import ShardError
from bulk.folder import check_folder
from bulk.order import Opened, open_order
from bulk.part_file import Written, read_part, write_part
from bulk.shards import Shard
from models.errors import NamewrightError

_one_at_a_time = Lock()
"""Workers of other people's clusters may have several threads; they share a sampler."""


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
        with _one_at_a_time:
            opened = open_order(order)
            if not opened.rows.is_current():  # words were written anew: the same ones, perhaps
                open_order.cache_clear()
                opened = open_order(order)
            written = _part(opened, Path(folder), Shard(*shard), sha256)
        return written.rows, written.sha256
    except (NamewrightError, OSError, pa.ArrowException) as error:
        raise ShardError(str(error)) from None


def _part(opened: Opened, folder: Path, shard: Shard, sha256: str | None) -> Written:
    path, about, schema = folder / shard.file, opened.job.footer(shard), opened.rows.schema
    # A command that was stopped leaves shards under way on a cluster, and another one may have
    # taken its folder: then nothing is written there.
    check = partial(check_folder, folder, opened.job)
    check()
    written = read_part(path, schema, about) if path.exists() else None
    if not written or sha256 not in (None, written.sha256):
        # Closed here, within the lock: left to be collected, it would clear away what the next
        # shard has under way.
        with closing(opened.rows.batches(shard)) as batches:
            written = write_part(path, schema, about, batches, check)
    return written

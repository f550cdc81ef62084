"""A shard's file is there whole or not at all, and says whether it is whole."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bulk.part_file import Written, read_part, write_part

SCHEMA = pa.schema([pa.field("index", pa.uint64()), pa.field("name", pa.string())])
ABOUT = {"namewright.seed": "7", "namewright.first_index": "0"}


def batches(count: int = 5, rows: int = 1000) -> Iterator[pa.RecordBatch]:
    for first in range(0, count * rows, rows):
        indexes = range(first, first + rows)
        yield pa.record_batch(
            [pa.array(indexes, pa.uint64()), [f"n{i % 77}" for i in indexes]], schema=SCHEMA
        )


def write(folder: Path, name: str = "part-00000000.parquet") -> tuple[Path, Written]:
    path = folder / name
    return path, write_part(path, SCHEMA, ABOUT, batches())


def test_a_file_can_be_read_by_any_reader_and_says_what_it_is(tmp_path: Path) -> None:
    path, written = write(tmp_path)
    table = pq.read_table(path)
    assert table["index"].to_pylist() == list(range(5000))
    assert table.schema.field("index").type == pa.uint64()
    assert (
        pq.read_metadata(path).metadata.items()
        >= {name.encode(): value.encode() for name, value in ABOUT.items()}.items()
    )
    assert written.rows == 5000
    assert read_part(path, SCHEMA, ABOUT) == written
    assert list(tmp_path.iterdir()) == [path]


def test_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    one, another = write(tmp_path), write(tmp_path, "another.parquet")
    assert one[1] == another[1]
    assert one[0].read_bytes() == another[0].read_bytes()


def test_a_file_with_no_rows_is_whole(tmp_path: Path) -> None:
    written = write_part(tmp_path / "empty.parquet", SCHEMA, ABOUT, iter(()))
    assert written.rows == 0
    assert read_part(tmp_path / "empty.parquet", SCHEMA, ABOUT) == written


def test_groups_of_rows_are_large_however_few_come_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "part.parquet"
    write_part(path, SCHEMA, ABOUT, batches(210, 1000))
    metadata = pq.read_metadata(path)
    groups = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
    assert groups == [100_000, 100_000, 10_000]
    assert pq.read_table(path)["index"].to_pylist() == list(range(210_000))


def test_a_file_that_was_cut_anywhere_is_not_whole(tmp_path: Path) -> None:
    path, _ = write(tmp_path)
    data = path.read_bytes()
    for length in range(0, len(data), 997):
        path.write_bytes(data[:length])
        assert read_part(path, SCHEMA, ABOUT) is None


def test_a_flipped_bit_in_a_page_is_noticed(tmp_path: Path) -> None:
    path, _ = write(tmp_path)
    data = bytearray(path.read_bytes())
    column = pq.read_metadata(path).row_group(0).column(0)
    for place in range(column.data_page_offset + 60, column.data_page_offset + 90):
        data[place] ^= 1
        path.write_bytes(data)
        assert read_part(path, SCHEMA, ABOUT) is None
        data[place] ^= 1


def test_damage_anywhere_in_the_footer_is_no_crash(tmp_path: Path) -> None:
    path, written = write(tmp_path)
    data = bytearray(path.read_bytes())
    footer = int.from_bytes(data[-8:-4], "little")
    for place in range(len(data) - footer - 8, len(data)):
        for bit in (1, 128):
            data[place] ^= bit
            path.write_bytes(data)
            found = read_part(path, SCHEMA, ABOUT)
            assert found is None or found.rows == written.rows
            data[place] ^= bit


def test_batches_without_rows_change_nothing(tmp_path: Path) -> None:
    _, written = write(tmp_path)
    empty = pa.record_batch([pa.array([], pa.uint64()), pa.array([], pa.string())], schema=SCHEMA)
    more = (each for batch in batches() for each in (empty, batch, empty))
    assert write_part(tmp_path / "other.parquet", SCHEMA, ABOUT, more) == written


def test_a_file_of_other_rows_or_of_another_job_is_not_taken(tmp_path: Path) -> None:
    path, _ = write(tmp_path)
    assert read_part(path, SCHEMA, ABOUT | {"namewright.seed": "8"}) is None
    assert read_part(path, SCHEMA.append(pa.field("nll", pa.float64())), ABOUT) is None
    assert read_part(tmp_path / "none.parquet", SCHEMA, ABOUT) is None


def test_a_full_disk_is_an_error_and_leaves_the_old_file_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, _ = write(tmp_path)
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_part(path, SCHEMA, ABOUT, batches(1))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_rows_that_cannot_be_made_leave_nothing(tmp_path: Path) -> None:
    def broken() -> Iterator[pa.RecordBatch]:
        yield from batches(1)
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        write_part(tmp_path / "part.parquet", SCHEMA, ABOUT, broken())
    assert not list(tmp_path.iterdir())

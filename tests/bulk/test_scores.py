"""Words of a file are scored as `/score` scores them, each at its place, whatever the shards."""

import gc
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from app.catalog import load_one
from app.settings import Settings
from bulk.errors import ShardError
from bulk.scores import Scores
from bulk.shards import Shard
from bulk.words import open_words
from models.errors import ParameterError
from models.score import Scoring
from models.scoring import score

SERVED = load_one(Settings(default_model="bigram"), None)
ALPHABET = "abcdefghijklmnopqrstuvwxyz"
WORDS = [a + b + c for a in ALPHABET for b in "aeiou" for c in ALPHABET]


def text(folder: Path, data: bytes) -> Path:
    path = folder / "words.txt"
    path.write_bytes(data)
    return path


def table(folder: Path, words: list[str | None], group: int = 1000) -> Path:
    path = folder / "words.parquet"
    pq.write_table(pa.table({"other": [1] * len(words), "name": words}), path, row_group_size=group)
    return path


def read(path: Path, size: int) -> list[tuple[int, str | None]]:
    """Every word with its index, shard by shard."""
    words = open_words(path, "name")
    _, shards = words.survey(size)
    return [(shard.first + i, word) for shard in shards for i, word in enumerate(words.read(shard))]


@pytest.mark.parametrize("size", [1, 7, 999, 1000, 1001, 10_000])
@pytest.mark.parametrize("kind", ["lines", "unended", "parquet"])
def test_shards_of_any_size_have_every_word_once(tmp_path: Path, kind: str, size: int) -> None:
    words = WORDS[:100] if size < 7 else WORDS
    path = {
        "lines": lambda: text(tmp_path, "".join(f"{word}\n" for word in words).encode()),
        "unended": lambda: text(tmp_path, "\r\n".join(words).encode()),
        "parquet": lambda: table(tmp_path, [*words], 300),
    }[kind]()
    assert read(path, size) == list(enumerate(words))


def test_lines_are_found_beyond_the_first_block(tmp_path: Path) -> None:
    words = [f"{i:x}" for i in range(400_000)]  # more than 2 MiB
    assert read(text(tmp_path, "\n".join(words).encode()), 70_001) == list(enumerate(words))


@pytest.mark.parametrize("size", [1, 2, 10])
def test_a_byte_order_mark_is_no_part_of_the_first_word(tmp_path: Path, size: int) -> None:
    for end in (b"", b"\n"):
        data = b"\xef\xbb\xbfemma\nanna\nella" + end
        assert read(text(tmp_path, data), size) == list(enumerate(["emma", "anna", "ella"]))
    assert read(text(tmp_path, b"\xef\xbb\xbf"), size) == []


def test_what_is_no_regular_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", "."):
        with pytest.raises(ParameterError, match="is no regular file"):
            open_words(tmp_path / name, "")


def test_too_many_lines_for_so_small_shards_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="shard: makes more than 100000 files; allowed: 3 on"):
        open_words(text(tmp_path, b"a\n" * 200_001), "").survey(1)


def test_an_empty_file_has_no_words(tmp_path: Path) -> None:
    assert read(text(tmp_path, b""), 10) == []


@pytest.mark.parametrize("size", [700, 4000])
def test_scores_are_those_of_the_models_own_scorer(tmp_path: Path, size: int) -> None:
    words = open_words(text(tmp_path, "\n".join(WORDS).encode()), "")
    scores = Scores(SERVED, words, 1 << 20)
    rows = [
        row
        for shard in words.survey(size)[1]
        for batch in scores.batches(shard)
        for row in batch.to_pylist()
    ]
    expected = score(SERVED.model, SERVED.checkpoint.vocabulary, WORDS)
    assert [row["nll"] for row in rows] == [each.nll for each in expected]
    assert [(row["index"], row["word"]) for row in rows] == list(enumerate(WORDS))
    assert {row["fault"] for row in rows} == {None}


def test_a_word_that_cannot_be_scored_has_its_fault_and_the_others_their_score(
    tmp_path: Path,
) -> None:
    words = open_words(text(tmp_path, b"emma\n\nE\n\xff\nolivia\n" + b"a" * 99), "")
    (batch,) = Scores(SERVED, words, 0).batches(Shard(0, 0, 6))
    rows = batch.to_pylist()
    assert [row["word"] for row in rows] == ["emma", "", "E", None, "olivia", "a" * 99]
    assert [row["nll"] is None for row in rows] == [False, True, True, True, False, True]
    faults = [row["fault"] for row in rows]
    assert faults[1] == "has 0 characters; allowed: 1 to 64"
    assert faults[2].startswith("the character at position 0 (U+0045) is not in")
    assert faults[3] == "is no text in UTF-8"
    assert faults[5] == "has 99 characters; allowed: 1 to 64"


def test_a_cell_that_is_no_utf_8_costs_no_other(tmp_path: Path) -> None:
    sizes, data = np.array([0, 4, 6, 12], np.int32), b"emma\xff\xfeolivia"
    buffers = [None, pa.py_buffer(sizes), pa.py_buffer(data)]
    path = tmp_path / "words.parquet"
    pq.write_table(pa.table({"name": pa.Array.from_buffers(pa.string(), 3, buffers)}), path)
    (batch,) = Scores(SERVED, open_words(path, "name"), 0).batches(Shard(0, 0, 3))
    rows = batch.to_pylist()
    assert [row["word"] for row in rows] == ["emma", None, "olivia"]
    assert [row["fault"] for row in rows] == [None, "is no text in UTF-8", None]


def test_of_words_that_are_all_at_fault_nothing_stays(tmp_path: Path) -> None:
    words = open_words(text(tmp_path, b"E\n" * 30), "")
    scores = Scores(SERVED, words, 0)
    for shard in words.survey(10)[1]:
        assert [len(batch) for batch in scores.batches(shard)] == [10]
    gc.collect()
    assert [each for each in gc.get_objects() if type(each) is Scoring] == []


@pytest.mark.parametrize("now", [b"emma\n" * 5, b"emma\n" * 20, b"anna\n" * 10])
def test_words_that_change_meanwhile_are_an_error(tmp_path: Path, now: bytes) -> None:
    words = open_words(text(tmp_path, b"emma\n" * 10), "")
    (shard,) = words.survey(10)[1]
    text(tmp_path, now)
    with pytest.raises(ShardError, match=r"words\.txt has changed meanwhile"):
        list(Scores(SERVED, words, 0).batches(shard))


def test_an_empty_cell_is_no_word(tmp_path: Path) -> None:
    words = open_words(table(tmp_path, ["emma", None]), "name")
    (batch,) = Scores(SERVED, words, 0).batches(Shard(0, 0, 2))
    assert [row["fault"] for row in batch.to_pylist()] == [None, "is no text in UTF-8"]


def test_a_file_of_parquet_without_such_a_column_is_refused(tmp_path: Path) -> None:
    path = table(tmp_path, ["emma"])
    for column in ("nope", "other"):
        with pytest.raises(ParameterError, match=r"is no column of text in .* other, name"):
            open_words(path, column)
    pq.write_table(pa.Table.from_arrays([pa.array(["emma"])] * 2, ["name", "name"]), path)
    with pytest.raises(ParameterError, match="is no column of text in .* name, name"):
        open_words(path, "name")
    path.write_bytes(b"no such thing")
    with pytest.raises(ParameterError, match="words: "):
        open_words(path, "name")

"""Corpora of names: what is read, what is refused, and how they are split."""

import hashlib
import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from models.vocabulary import Vocabulary
from training.corpus import (
    IGNORED,
    MIN_NAMES,
    SPLITS,
    CorpusError,
    encode_lines,
    read_corpus,
    split_corpus,
)
from training.fit import fit
from training.recipes import Descent, Recipe
from training.text import read_text


def repr_start(value: object) -> str:
    """A test's id."""
    return repr(value)[:24]


NAMES = [f"name{chr(97 + i)}{chr(97 + j)}" for i in range(26) for j in range(10)]


def write(folder: Path, data: bytes) -> Path:
    path = folder / "corpus.txt"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "BOM"])
@pytest.mark.parametrize(
    "end",
    [b"\n", b"\r\n", b"\r", b"\r\n\r\n", b" \t\n   \n", "\u3000\n".encode()],
    ids=["LF", "CRLF", "CR", "blank", "spaces", "wide-space"],
)
def test_names_are_the_same_however_lines_end(tmp_path: Path, mark: bytes, end: bytes) -> None:
    data = mark + end.join(name.encode() for name in NAMES) + end
    corpus = read_corpus(write(tmp_path, data))
    assert list(corpus.items) == NAMES
    assert corpus.size_bytes == len(data)
    assert corpus.sha256 == hashlib.sha256(data).hexdigest()


def test_names_of_mixed_normalisation_become_one_spelling(tmp_path: Path) -> None:
    data = "\n".join(["Zoé", "Zoe\u0301", "각", "\u1100\u1161\u11a8", *NAMES]).encode()
    corpus = read_corpus(write(tmp_path, data))
    assert corpus.items[:4] == ("Zoé", "Zoé", "각", "각")
    assert corpus.describe()["distinct"] == len(NAMES) + 2
    split = split_corpus(corpus.items, "clean")
    assert [*split.train, *split.dev, *split.test].count("Zoé") == 1


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (b"", "0 distinct names; at least 10 are needed"),
        (b"\xef\xbb\xbf", "0 distinct names"),
        (b"\n \n\t\n", "0 distinct names"),
        (b"   \n" * 1000, "0 distinct names"),
        (b"emma\n", "1 distinct names"),
        (b"anna\nemma\n" * 100, "2 distinct names"),
        (b"anna\n\xff\xfe\n" * 10, "not UTF-8 at byte 5"),
        (b"anna\n" * 10 + b"\xed\xa0\x80", "not UTF-8 at byte 50"),  # a lone surrogate
        ("anna\nemma\n".encode("utf-16"), "not UTF-8 at byte 0"),
        (b"an\0na\n" * 10, "control characters in line 1"),
        (b"anna\n\nan\x1bna\n" * 10, "control characters in line 3"),
        (bytes(range(128)) * 100, "control characters in line 1"),
        (b"anna\n" + b"a" * 65, "line 2 has 65 characters; a name, one a line, has at most 64"),
        (b"a" * 5_000_000, "line 1 has 5,000,000 characters"),
        (b",".join([b"anna"] * 1_000_000), "line 1 has 4,999,999 characters"),
        (("a" + "\u0323\u0301" * 500_000).encode(), "line 1 has 1,000,001 characters"),
    ],
    ids=repr_start,
)
def test_a_corpus_no_model_can_learn_is_refused(tmp_path: Path, data: bytes, cause: str) -> None:
    path = write(tmp_path, data)
    with pytest.raises(CorpusError, match=cause) as error:
        read_corpus(path)
    assert str(error.value).startswith(f"{path}: ")
    assert len(str(error.value)) < len(str(path)) + 150


@pytest.mark.parametrize("read", [read_corpus, read_text])
def test_what_is_no_readable_file_is_named_and_nothing_waits_for_it(
    tmp_path: Path, read: Callable[[Path], object]
) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "closed").write_text("anna\n")
    (tmp_path / "closed").chmod(0)
    for name, cause in (
        ("nowhere", "cannot be read: No such file"),
        ("closed/below", "cannot be read: Not a directory"),
        ("pipe", "not a regular file"),
        (".", "not a regular file"),
    ):
        with pytest.raises(CorpusError, match=cause) as error:
            read(tmp_path / name)
        assert str(tmp_path / name) in str(error.value)
    if os.geteuid() != 0:  # root reads what it likes
        with pytest.raises(CorpusError, match="cannot be read: Permission denied"):
            read(tmp_path / "closed")


def test_names_may_be_of_one_character_only(tmp_path: Path) -> None:
    lines = read_corpus(write(tmp_path, b"\n".join(b"a" * n for n in range(1, 31)))).items
    split = split_corpus(lines, "clean")
    recipe = Recipe("gru", Descent(steps=6, batch_size=8, eval_every=3), n_embd=4, n_embd2=4)
    fitted = fit(recipe, Vocabulary.of(lines), split.train, split.dev, seed=1)
    assert fitted.metrics[-1]["dev_nll"] < fitted.metrics[0]["dev_nll"] < 2


@pytest.mark.parametrize("size", [MIN_NAMES, 11, 19, 20, 21])
@pytest.mark.parametrize("name", SPLITS)
def test_the_smallest_corpora_have_something_in_every_part(size: int, name: str) -> None:
    split = split_corpus(NAMES[:size], name)
    assert min(len(split.train), len(split.dev), len(split.test)) >= 1
    assert len(split.train) >= 8


def test_makemores_split_is_makemores(names_path: Path) -> None:
    split = split_corpus(read_corpus(names_path).items, "makemore")
    assert [len(split.train), len(split.dev), len(split.test)] == [30033, 1000, 1000]
    digest = hashlib.sha256("\n".join(split.test).encode()).hexdigest()
    assert digest.startswith("2f6b1101c4373be1")
    assert len(split.test_unseen) == 847


def test_the_lectures_split_is_the_lectures(names_path: Path) -> None:
    split = split_corpus(read_corpus(names_path).items, "lecture")
    words = names_path.read_text().splitlines()
    random.Random(42).shuffle(words)
    assert words[:3] == ["yuheng", "diondre", "xavien"]
    first, second = int(0.8 * len(words)), int(0.9 * len(words))
    assert list(split.train) == words[:first]
    assert list(split.dev) == words[first:second]
    assert list(split.test) == words[second:]
    digest = hashlib.sha256("\n".join(split.dev).encode()).hexdigest()
    assert digest.startswith("3097363dfec5299f")


def test_the_clean_split_of_names_txt_stays_what_it_is(names_path: Path) -> None:
    split = split_corpus(read_corpus(names_path).items, "clean")
    assert [len(split.train), len(split.dev), len(split.test)] == [23596, 2949, 2949]
    digest = hashlib.sha256("\n".join(split.test).encode()).hexdigest()
    assert digest.startswith("1984d0093360331a")


@pytest.mark.parametrize("name", SPLITS)
def test_a_split_loses_and_repeats_no_line(name: str) -> None:
    lines = [*NAMES, *NAMES[:50]]
    split = split_corpus(lines, name)
    together = sorted([*split.train, *split.dev, *split.test])
    assert together == sorted(set(lines) if name == "clean" else lines)


def test_clean_parts_share_no_name() -> None:
    split = split_corpus([*NAMES, *NAMES], "clean")
    assert not {*split.train} & {*split.dev}
    assert not {*split.train, *split.dev} & {*split.test}
    assert split.test_unseen == split.test


def test_an_unknown_split_names_the_known_ones() -> None:
    with pytest.raises(CorpusError, match="unknown split 'mine'; known: makemore, clean, lecture"):
        split_corpus(NAMES, "mine")


def test_lines_are_padded_with_targets_the_loss_ignores() -> None:
    inputs, targets = encode_lines(["ab", "c"], Vocabulary(("a", "b", "c")))
    assert inputs.tolist() == [[0, 1, 2], [0, 3, 0]]
    assert targets.tolist() == [[1, 2, 0], [3, 0, IGNORED]]
    assert inputs.dtype == targets.dtype == torch.int64

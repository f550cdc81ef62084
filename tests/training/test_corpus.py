import hashlib
from pathlib import Path

import pytest
import torch

from models.vocabulary import Vocabulary
from training.corpus import IGNORED, CorpusError, encode_lines, read_corpus, split_corpus

NAMES = [f"name{chr(97 + i)}{chr(97 + j)}" for i in range(26) for j in range(10)]


def write(folder: Path, data: bytes) -> Path:
    path = folder / "corpus.txt"
    path.write_bytes(data)
    return path


def test_byte_order_mark_carriage_returns_and_blank_lines_are_taken_off(tmp_path: Path) -> None:
    data = b"\xef\xbb\xbf" + b"\r\n\r\n".join(name.encode() for name in NAMES)
    assert list(read_corpus(write(tmp_path, data)).lines) == NAMES


def test_names_of_mixed_normalisation_become_one_spelling(tmp_path: Path) -> None:
    data = "\n".join(["Zoé", "Zoe\u0301", *NAMES]).encode()
    assert read_corpus(write(tmp_path, data)).lines[:2] == ("Zoé", "Zoé")


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (b"", "0 distinct names"),
        (b"\n \n\t\n", "0 distinct names"),
        (b"anna\nemma\n" * 100, "2 distinct names"),
        (b"anna\n\xff\xfe\n" * 10, "not UTF-8 at byte 5"),
        (b"an\0na\n" * 10, "control characters in name 1"),
    ],
)
def test_a_corpus_no_model_can_learn_is_refused(tmp_path: Path, data: bytes, cause: str) -> None:
    with pytest.raises(CorpusError, match=cause):
        read_corpus(write(tmp_path, data))


def test_a_missing_corpus_is_named(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"nowhere\.txt: cannot be read"):
        read_corpus(tmp_path / "nowhere.txt")


def test_makemores_split_is_makemores(names_path: Path) -> None:
    split = split_corpus(read_corpus(names_path).lines, "makemore")
    assert [len(split.train), len(split.dev), len(split.test)] == [30033, 1000, 1000]
    digest = hashlib.sha256("\n".join(split.test).encode()).hexdigest()
    assert digest.startswith("2f6b1101c4373be1")
    assert len(split.test_unseen) == 847


@pytest.mark.parametrize("name", ["makemore", "clean"])
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
    with pytest.raises(CorpusError, match="known: makemore, clean"):
        split_corpus(NAMES, "mine")


def test_lines_are_padded_with_targets_the_loss_ignores() -> None:
    inputs, targets = encode_lines(["ab", "c"], Vocabulary(("a", "b", "c")))
    assert inputs.tolist() == [[0, 1, 2], [0, 3, 0]]
    assert targets.tolist() == [[1, 2, 0], [3, 0, IGNORED]]
    assert inputs.dtype == targets.dtype == torch.int64

"""Corpora of running text: what is read, what is refused, and Korean's known figures."""

import hashlib
import math
import random
import unicodedata
from collections import Counter
from pathlib import Path

import pytest
import torch
from torch import Tensor

from models.vocabulary import Vocabulary
from tests.training.conftest import TEXT
from training.corpus import Corpus, CorpusError, split_text
from training.fit import fit
from training.recipes import Descent, Recipe
from training.text import MIN_CHARACTERS, encode_text, read_text

LOOKUP = Recipe(
    "neural-bigram", Descent(steps=8, batch_size=4, eval_every=4), kind="text", block_size=8
)


def write(folder: Path, data: bytes) -> Path:
    path = folder / "text.txt"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "BOM"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_text_is_the_same_however_it_is_written(
    tmp_path: Path, mark: bytes, end: str, form: str
) -> None:
    spelled = unicodedata.normalize(form, TEXT).replace("\n", end)  # type: ignore[arg-type]
    data = mark + (end * 2 + spelled + end).encode()
    corpus = read_text(write(tmp_path, data))
    assert corpus.items[0] == TEXT
    assert corpus.sha256 == hashlib.sha256(data).hexdigest()
    assert corpus.describe()["distinct"] == len(set(TEXT))


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (b"", "0 characters; at least 1000 are needed"),
        (b"\n" * 5000, "0 characters"),
        (b"a" * 999 + b"\r\n", "999 characters"),
        (b"a" * 2000 + b"\xff", "not UTF-8 at byte 2000"),
        (b"a" * 2000 + b"\xed\xa0\x80", "not UTF-8 at byte 2000"),
        (TEXT.encode("utf-16"), "not UTF-8 at byte 0"),
        (b"a\0b" * 1000, r"holds U\+0000: not a text"),
        (random.Random(0).randbytes(100_000), "not UTF-8|holds"),
    ],
    ids=lambda value: repr(value)[:24],
)
def test_a_text_no_model_can_learn_is_refused(tmp_path: Path, data: bytes, cause: str) -> None:
    path = write(tmp_path, data)
    with pytest.raises(CorpusError, match=cause) as error:
        read_text(path)
    assert str(error.value).startswith(f"{path}: ")


@pytest.mark.parametrize(
    "text",
    ["a" * MIN_CHARACTERS, " " * MIN_CHARACTERS, " \n\t" * 500, "a" * 900 + "b" * 100],
    ids=["one character", "spaces", "blank lines", "unseen characters"],
)
def test_a_poor_text_is_learned_for_what_it_is(tmp_path: Path, text: str) -> None:
    corpus = read_text(write(tmp_path, text.encode()))
    split = split_text(corpus.items[0])
    vocabulary = corpus.vocabulary
    fitted = fit(LOOKUP, vocabulary, split.train, split.dev, seed=1)
    assert all(math.isfinite(row["dev_nll"]) for row in fitted.metrics)


def test_a_text_in_one_huge_line_is_read(tmp_path: Path) -> None:
    corpus = read_text(write(tmp_path, b"lorem ipsum " * 400_000))
    assert len(corpus.items[0]) == 4_800_000


def test_a_text_is_cut_in_two_and_nothing_lost() -> None:
    for size in (1000, 1001, 1009, 1010):
        text = (TEXT * 3)[:size]
        split = split_text(text)
        assert split.train[0] + split.dev[0] == text
        assert (len(split.dev[0]), split.test) == (size // 10, ())


def test_chunks_of_a_whole_text_forget_what_came_before_them() -> None:
    vocabulary = Vocabulary(("a", "b", "c"), ends=False)
    inputs, targets = encode_text("abcab", vocabulary, 2)
    assert inputs.tolist() == [[0, 1], [0, 3], [0, 2]]
    assert targets.tolist() == [[1, 2], [3, 1], [2, -1]]


# ---------------------------------------------------------------- korean.txt


@pytest.fixture(scope="module")
def korean(names_path: Path) -> Corpus:
    path = names_path.with_name("korean.txt")
    if not path.exists():
        pytest.skip("NAMEWRIGHT_DATA holds no korean.txt")
    return read_text(path)


def test_koreans_rare_characters_are_kept(korean: Corpus) -> None:
    seen = Counter(korean.items[0])
    assert (len(korean.items[0]), len(seen)) == (292_062, 1578)
    assert sum(times == 1 for times in seen.values()) == 339
    assert sum(times < 5 for times in seen.values()) == 615
    vocabulary = korean.vocabulary
    assert len(vocabulary) == 1579
    split = split_text(korean.items[0])
    assert len(split.dev[0]) == 29_206
    unseen = set(split.dev[0]) - set(split.train[0])
    assert len(unseen) == 71
    assert len(vocabulary.encode(split.dev[0])) == 29_206  # all of it can be scored


def pair_counts(text: str, vocabulary: Vocabulary) -> Tensor:
    """(V - 1, V - 1) float64: pairs of neighbours within a text, without boundaries."""
    token_ids, size = torch.tensor(vocabulary.encode(text)) - 1, len(vocabulary) - 1
    pairs = token_ids[:-1] * size + token_ids[1:]
    return torch.bincount(pairs, minlength=size**2).view(size, size).double()


def test_counting_korean_gives_the_figures_that_a_lookup_table_can_reach(
    korean: Corpus,
) -> None:
    split = split_text(korean.items[0])
    vocabulary = korean.vocabulary
    train, dev = (pair_counts(part[0], vocabulary) for part in (split.train, split.dev))

    def nll(counts: Tensor, pairs: Tensor) -> float:
        log_probs = torch.log(counts / counts.sum(1, keepdim=True))
        seen = pairs > 0
        return float(-(pairs[seen] * log_probs[seen]).sum() / pairs.sum())

    assert nll(train, train) == pytest.approx(3.1327, abs=5e-5)
    assert nll(train + 0.01, dev) == pytest.approx(3.9382, abs=5e-5)

"""What is learned from: names, one a line, split three ways, or one running text.

Splits of names:
    makemore  the file's own lines in torch.randperm(seed 3407) order, the last 1,000
              (at most a tenth) for test, as makemore's create_datasets does it.
              names.txt repeats 2,539 names, so 153 of its test names are among the
              other lines: comparable with published figures, but flattering.
    clean     repeats removed first, then the same permutation, a tenth for test:
              no name is in two parts.
    lecture   the file's own lines after random.seed(42) and random.shuffle, cut at
              80% and 90%, as the lectures do it; it leaks like makemore's.

makemore has no dev part and chooses on test; here the lines before test, as
many again, are dev, on which we choose.

Running text (see text.py) is cut in two: its last tenth is dev, there is no test.
"""

import hashlib
import random
import stat
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from models.errors import NamewrightError
from models.rows import NAME_LIMIT
from models.vocabulary import BOUNDARY, Vocabulary, normalize, normalized_length

SPLIT_SEED = 3407
LECTURE_SEED = 42
SPLITS = ("makemore", "clean", "lecture")
HELD_OUT = 10
"""Of running text, one part in this many."""
MIN_NAMES = 10
"""Fewer distinct names leave nothing to hold out."""
IGNORED = -1
"""Target of a padded position; the loss passes it over."""


class CorpusError(NamewrightError, ValueError):
    """A corpus that no model can be fitted on."""


@dataclass(frozen=True)
class Split:
    """The three parts of a corpus; see the module's header. Running text has no test part."""

    name: str
    train: tuple[str, ...]
    dev: tuple[str, ...]
    test: tuple[str, ...]

    @property
    def test_unseen(self) -> tuple[str, ...]:
        """The test names that are not in train or dev as well."""
        seen = {*self.train, *self.dev}
        return tuple(name for name in self.test if name not in seen)


@dataclass(frozen=True)
class Corpus:
    """What a file holds to learn from.

    Attributes:
        name: the file's name.
        items: names in file order, or one running text; in NFC.
        sha256: of the file's bytes.
        size_bytes: of the file.
        kind: `lines` or `text`.
    """

    name: str
    items: tuple[str, ...]
    sha256: str
    size_bytes: int
    kind: str = "lines"

    @property
    def vocabulary(self) -> Vocabulary:
        """The alphabet of all of it."""
        return Vocabulary.of(self.items, ends=self.kind == "lines")

    def split(self, names: Sequence[str]) -> list[Split]:
        """The splits of these names; running text has but one, whatever is asked for.

        Raises:
            CorpusError: a name is not one of SPLITS.
        """
        if self.kind == "text":
            return [split_text(self.items[0])]
        return [split_corpus(self.items, name) for name in names]

    def describe(self) -> dict[str, Any]:
        """What a checkpoint records of its corpus; running text is counted by character."""
        units = self.items if self.kind == "lines" else self.items[0]
        return {
            "name": self.name,
            "kind": self.kind,
            "items": len(units),
            "distinct": len(set(units)),
            "bytes": self.size_bytes,
            "sha256": self.sha256,
        }


def decode_file(path: Path) -> tuple[bytes, str]:
    """The bytes of a UTF-8 file, and its text without byte order mark, LF between its lines.

    Raises:
        CorpusError: it is no regular file, cannot be read, or is not UTF-8.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # to read a pipe may take for ever
            raise CorpusError(f"{path}: not a regular file; give a UTF-8 text file")
        data = path.read_bytes()
    except OSError as error:
        raise CorpusError(f"{path}: cannot be read: {error.strerror}") from error
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CorpusError(f"{path}: not UTF-8 at byte {error.start}") from error
    return data, text.replace("\r\n", "\n").replace("\r", "\n")


def read_corpus(path: Path) -> Corpus:
    """Read a UTF-8 file of one name a line; lines end in LF, CRLF or CR.

    Raises:
        CorpusError: it cannot be read, is not UTF-8, holds control characters or a line
            longer than any name, or has fewer than MIN_NAMES distinct lines.
    """
    data, text = decode_file(path)
    lines = []
    for number, line in enumerate(map(str.strip, text.split("\n")), start=1):
        if normalized_length(line, NAME_LIMIT) > NAME_LIMIT:
            raise CorpusError(
                f"{path}: line {number} has {len(line):,} characters; "
                f"a name, one a line, has at most {NAME_LIMIT}"
            )
        if any(unicodedata.category(character) == "Cc" for character in line):
            raise CorpusError(f"{path}: control characters in line {number}: not a list of names")
        if line:
            lines.append(normalize(line))
    if (distinct := len(set(lines))) < MIN_NAMES:
        raise CorpusError(f"{path}: {distinct} distinct names; at least {MIN_NAMES} are needed")
    return Corpus(path.name, tuple(lines), hashlib.sha256(data).hexdigest(), len(data))


def split_corpus(lines: Sequence[str], name: str) -> Split:
    """Cut lines into train, dev and test.

    Args:
        lines: in file order.
        name: one of SPLITS.

    Raises:
        CorpusError: the name is not one of them.
    """
    if name not in SPLITS:
        raise CorpusError(f"unknown split {name!r}; known: {', '.join(SPLITS)}")
    if name == "lecture":
        shuffled = list(lines)
        random.Random(LECTURE_SEED).shuffle(shuffled)
        first, second = int(0.8 * len(shuffled)), int(0.9 * len(shuffled))
    else:
        items = sorted(set(lines)) if name == "clean" else list(lines)
        held_out = len(items) // 10 if name == "clean" else min(1000, len(items) // 10)
        generator = torch.Generator().manual_seed(SPLIT_SEED)
        shuffled = [items[i] for i in torch.randperm(len(items), generator=generator).tolist()]
        first, second = len(items) - 2 * held_out, len(items) - held_out
    return Split(
        name, tuple(shuffled[:first]), tuple(shuffled[first:second]), tuple(shuffled[second:])
    )


def split_text(text: str) -> Split:
    """The first nine tenths for training, the last for dev, one string each."""
    end = len(text) - len(text) // HELD_OUT
    return Split("text", (text[:end],), (text[end:],), ())


def encode_lines(lines: Sequence[str], vocabulary: Vocabulary) -> tuple[Tensor, Tensor]:
    """Lines as padded inputs and targets.

    Returns:
        inputs: (N, T) int64, each row a boundary and the line; T = longest line + 1.
        targets: (N, T) int64, the line and a boundary, then IGNORED.
    """
    width = max(map(len, lines)) + 1
    inputs = torch.full((len(lines), width), BOUNDARY)
    targets = torch.full((len(lines), width), IGNORED)
    for row, line in enumerate(lines):
        token_ids = torch.tensor(vocabulary.encode(line))
        inputs[row, 1 : len(line) + 1] = token_ids
        targets[row, : len(line)] = token_ids
        targets[row, len(line)] = BOUNDARY
    return inputs, targets

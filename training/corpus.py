"""A corpus of lines: one name a line, read strictly, split two ways.

Splits:
    makemore  the file's own lines in torch.randperm(seed 3407) order, the last 1,000
              (at most a tenth) for test, as makemore's create_datasets does it.
              names.txt repeats 2,539 names, so 153 of its test names are among the
              other lines: comparable with published figures, but flattering.
    clean     repeats removed first, then the same permutation, a tenth for test:
              no name is in two parts.

makemore has no dev part and chooses on test; here the lines before test, as
many again, are dev, on which we choose. Test is looked at once.
"""

import hashlib
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from models.errors import NamewrightError
from models.vocabulary import BOUNDARY, Vocabulary, normalize

SPLIT_SEED = 3407
SPLITS = ("makemore", "clean")
MIN_NAMES = 10
"""Fewer distinct names leave nothing to hold out."""
IGNORED = -1
"""Target of a padded position; the loss passes it over."""


class CorpusError(NamewrightError, ValueError):
    """A corpus that no model can be fitted on."""


@dataclass(frozen=True)
class Corpus:
    """The lines of a file.

    Attributes:
        name: the file's name.
        lines: its non-empty lines in file order, stripped, in NFC.
        sha256: of the file's bytes.
        size_bytes: of the file.
    """

    name: str
    lines: tuple[str, ...]
    sha256: str
    size_bytes: int

    def describe(self) -> dict[str, Any]:
        """What a checkpoint records of its corpus."""
        return {
            "name": self.name,
            "kind": "lines",
            "items": len(self.lines),
            "distinct": len(set(self.lines)),
            "bytes": self.size_bytes,
            "sha256": self.sha256,
        }


@dataclass(frozen=True)
class Split:
    """The three parts of a corpus; see the module's header."""

    name: str
    train: tuple[str, ...]
    dev: tuple[str, ...]
    test: tuple[str, ...]

    @property
    def test_unseen(self) -> tuple[str, ...]:
        """The test names that are not in train or dev as well."""
        seen = {*self.train, *self.dev}
        return tuple(name for name in self.test if name not in seen)


def read_corpus(path: Path) -> Corpus:
    """Read a UTF-8 file of one name a line; a byte order mark and CRLF are taken off.

    Raises:
        CorpusError: it cannot be read, is not UTF-8, holds control characters,
            or has fewer than MIN_NAMES distinct lines.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CorpusError(f"{path}: cannot be read: {error.strerror}") from error
    try:
        text = normalize(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise CorpusError(f"{path}: not UTF-8 at byte {error.start}") from error
    lines = tuple(stripped for line in text.split("\n") if (stripped := line.strip()))
    for number, line in enumerate(lines, start=1):
        if any(unicodedata.category(character) == "Cc" for character in line):
            raise CorpusError(f"{path}: control characters in name {number}: not a list of names")
    if (distinct := len(set(lines))) < MIN_NAMES:
        raise CorpusError(f"{path}: {distinct} distinct names; at least {MIN_NAMES} are needed")
    return Corpus(path.name, lines, hashlib.sha256(data).hexdigest(), len(data))


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
    items = sorted(set(lines)) if name == "clean" else list(lines)
    held_out = len(items) // 10 if name == "clean" else min(1000, len(items) // 10)
    generator = torch.Generator().manual_seed(SPLIT_SEED)
    shuffled = [items[i] for i in torch.randperm(len(items), generator=generator).tolist()]
    train, dev, test = (
        shuffled[: -2 * held_out],
        shuffled[-2 * held_out : -held_out],
        shuffled[-held_out:],
    )
    return Split(name, tuple(train), tuple(dev), tuple(test))


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

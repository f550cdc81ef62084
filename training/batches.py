"""What a gradient step learns from: a pure function of (seed, step).

So a run that was killed goes on with the very batches it would have had, and
several processes agree on a batch without a word.

Names of like length go through the model together, in a few parts of a batch:
the same loss with less padding.
"""

import math
from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from models.vocabulary import Vocabulary
from training.corpus import IGNORED, encode_lines
from training.text import encode_text, with_boundaries

Part = tuple[Tensor, Tensor]
"""Inputs and targets, (B, T) int64 each; targets are IGNORED where padded."""


class Batches(Protocol):
    """Training batches, the held-out data on which a step is chosen, and as much to compare."""

    dev: Part
    train_sample: Part

    def batch(self, step: int, rank: int = 0, size: int = 1) -> list[Part]:
        """Part `rank` of `size` of a step's batch, itself in parts; none may be left for it."""


def epoch_rows(step: int, batch_size: int, size: int, seed: int) -> Tensor:
    """(B,) row numbers of a step's batch; B is smaller at the end of an epoch.

    Every epoch is a fresh permutation, and a batch never straddles two.
    """
    steps_per_epoch = math.ceil(size / batch_size)
    epoch, place = divmod(step, steps_per_epoch)
    generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
    order = torch.randperm(size, generator=generator)
    return order[place * batch_size : (place + 1) * batch_size]


def trim(inputs: Tensor, targets: Tensor) -> Part:
    """A batch without the columns that are padding in every row: the same loss for less."""
    width = int((targets != IGNORED).any(0).sum())
    return inputs[:, :width], targets[:, :width]


class LineBatches:
    """Batches of names.

    Args:
        train, dev: lines, not empty.
        vocabulary: holds every character of them.
        batch_size: names a step.
        parts: of like length that a batch is cut into, at least 1.
        seed: decides the order.
    """

    def __init__(
        self,
        train: Sequence[str],
        dev: Sequence[str],
        vocabulary: Vocabulary,
        *,
        batch_size: int,
        parts: int,
        seed: int,
    ) -> None:
        self._inputs, self._targets = encode_lines(train, vocabulary)
        self._lengths = (self._targets != IGNORED).sum(1)
        self._batch_size, self._parts, self._seed = batch_size, parts, seed
        self.dev = encode_lines(dev, vocabulary)
        self.train_sample = encode_lines(train[: len(dev)], vocabulary)

    def batch(self, step: int, rank: int = 0, size: int = 1) -> list[Part]:
        """Names in parts of like length, each trimmed."""
        rows = epoch_rows(step, self._batch_size, len(self._inputs), self._seed)[rank::size]
        rows = rows[self._lengths[rows].argsort(stable=True)]
        parts = rows.chunk(self._parts) if len(rows) else ()
        return [trim(self._inputs[part], self._targets[part]) for part in parts]


class TextBatches:
    """Batches of chunks from anywhere in a text.

    Args:
        train, dev: texts of at least block_size characters.
        vocabulary: holds every character of them.
        block_size: T, characters a chunk.
        batch_size: chunks a step.
        seed: decides which.
    """

    def __init__(
        self,
        train: str,
        dev: str,
        vocabulary: Vocabulary,
        *,
        block_size: int,
        batch_size: int,
        seed: int,
    ) -> None:
        self._token_ids = torch.tensor(vocabulary.encode(train))
        self._block_size, self._batch_size, self._seed = block_size, batch_size, seed
        self.dev = encode_text(dev, vocabulary, block_size)
        self.train_sample = encode_text(train[: len(dev)], vocabulary, block_size)

    def batch(self, step: int, rank: int = 0, size: int = 1) -> list[Part]:
        """Chunks, in one part."""
        generator = torch.Generator().manual_seed(self._seed * 1_000_003 + step)
        last = len(self._token_ids) - self._block_size
        starts = torch.randint(last + 1, (self._batch_size,), generator=generator)[rank::size]
        targets = self._token_ids[starts[:, None] + torch.arange(self._block_size)]
        return [(with_boundaries(targets), targets)] if len(starts) else []

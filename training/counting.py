"""Fitting by counting: pairs for the bigrams, n-grams of every length for the n-gram model."""

import torch
from torch import Tensor

from models.bigram import Bigram
from training.corpus import IGNORED


def count(model: Bigram, inputs: Tensor, targets: Tensor, smoothing: float) -> None:
    """Set a bigram model's counts to those of (N, T) inputs and targets, in place."""
    model.counts.copy_(pair_counts(inputs, targets, model.config.vocab_size))
    model.smoothing.fill_(smoothing)


def pair_counts(inputs: Tensor, targets: Tensor, vocab_size: int) -> Tensor:
    """(V, V) int64: how often the column's character followed the row's."""
    seen = targets != IGNORED
    pairs = inputs[seen] * vocab_size + targets[seen]
    return torch.bincount(pairs, minlength=vocab_size**2).view(vocab_size, vocab_size)


def ngram_counts(targets: Tensor, vocab_size: int, block_size: int) -> tuple[Tensor, Tensor]:
    """Every n-gram of names, of 1 to block_size + 1 characters, with its count.

    The longest are counted as often as they occur, and so are those with which a name
    begins. A shorter one is asked where the longer context is unknown, so it is counted
    once for each character that it follows: what is frequent in one context alone says
    little about others (Kneser and Ney 1995).

    Args:
        targets: (N, T) int64, names and their ends, then IGNORED; see `encode_lines`.
        vocab_size: V.
        block_size: characters of context at most; the boundary before a name is one.

    Returns:
        keys: (G,) int64, as an NGram has them.
        cumulative: (G + 1,) int64, likewise.
    """
    seen = targets != IGNORED
    contexts = torch.zeros_like(targets)  # nodes of the `length` characters before each
    shorter = torch.zeros_like(targets)  # nodes of the n-grams before this length
    keys, counts = [], [torch.zeros(1, dtype=torch.int64)]  # of the root, at first
    first, nodes = 0, 1  # of the nodes of the last length; how many there are in all
    for length in range(block_size + 1):
        usable = seen & (contexts >= 0)
        found, index, occurred = torch.unique(
            contexts[usable] * vocab_size + targets[usable],
            return_inverse=True, return_counts=True,
        )  # fmt: skip
        suffixes = torch.zeros_like(found).scatter_(0, index, shorter[usable])
        followed = torch.bincount(suffixes - first, minlength=len(counts[-1]))
        counts[-1] = torch.where(followed > 0, followed, counts[-1])
        keys.append(found)
        counts.append(occurred)
        shorter = torch.full_like(targets, -1)
        shorter[usable] = nodes + index
        first, nodes = nodes, nodes + len(found)
        # A context one longer ends where its n-gram did. Before a name there is its boundary,
        # which as the end of names is the first node.
        start = 1 if length == 0 else -1
        contexts = torch.cat((torch.full_like(shorter[:, :1], start), shorter[:, :-1]), 1)
    counts[0].zero_()
    return torch.cat(keys), torch.cat(counts).cumsum(0)

"""Exact NLLs over whole splits: every character counts once, summed in float64."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from models.base import LanguageModel
from models.vocabulary import Vocabulary
from training.corpus import IGNORED, Split, encode_lines
from training.loss import cross_entropy
from training.text import encode_text

_BATCH_LOGITS = 1 << 20
"""At a time: 4 or 8 MB, whatever the alphabet."""


@torch.inference_mode()
def mean_nll(model: LanguageModel, inputs: Tensor, targets: Tensor, *, ends: bool = True) -> float:
    """Nats per predicted character, ends included, in eval mode.

    Args:
        model: on any device and of any dtype; its mode is put back afterwards.
        inputs: (N, T) int64.
        targets: (N, T) int64, IGNORED where padded.
        ends: whether the boundary can be predicted; see loss.py.
    """
    training = model.training
    model.eval()
    total = torch.zeros((), dtype=torch.float64)
    for batch in batches_of(model, inputs):
        logits = model(inputs[batch].to(model.device)).double()
        own = targets[batch].to(logits.device)
        total += cross_entropy(logits, own, reduction="sum", ends=ends).cpu()
    model.train(training)
    return float(total / (targets != IGNORED).sum())


def batches_of(model: LanguageModel, inputs: Tensor) -> Iterator[slice]:
    """Rows of (N, T) inputs to evaluate at a time, so that their logits take little memory."""
    size = max(1, _BATCH_LOGITS // (model.config.vocab_size * inputs.shape[1]))
    for start in range(0, len(inputs), size):
        yield slice(start, start + size)


def encode_items(
    model: LanguageModel, vocabulary: Vocabulary, items: Sequence[str]
) -> tuple[Tensor, Tensor]:
    """Inputs and targets of names, or of running text in chunks of the model's block_size."""
    if vocabulary.ends:
        return encode_lines(items, vocabulary)
    return encode_text(items[0], vocabulary, model.config.block_size)


def evaluate(
    model: LanguageModel, vocabulary: Vocabulary, parts: dict[str, Sequence[str]]
) -> dict[str, float]:
    """Nats per character of each part, by name."""
    return {
        name: mean_nll(model, *encode_items(model, vocabulary, items), ends=vocabulary.ends)
        for name, items in parts.items()
    }


def evaluate_split(model: LanguageModel, vocabulary: Vocabulary, split: Split) -> dict[str, float]:
    """Nats per character of train, dev and test, where there is one.

    Where test leaks, `test_unseen` are its names that are in no other part.
    """
    parts: dict[str, Sequence[str]] = {"train": split.train, "dev": split.dev}
    if split.test:
        parts["test"] = split.test
    if 0 < len(split.test_unseen) < len(split.test):
        parts["test_unseen"] = split.test_unseen
    return evaluate(model, vocabulary, parts)

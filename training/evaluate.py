"""Exact NLLs over whole splits: every character counts once, summed in float64."""

from collections.abc import Sequence

import torch
from torch import Tensor

from models.base import LanguageModel
from models.vocabulary import Vocabulary
from training.corpus import IGNORED, Split, encode_lines
from training.loss import cross_entropy

_BATCH = 2048


@torch.inference_mode()
def mean_nll(model: LanguageModel, inputs: Tensor, targets: Tensor) -> float:
    """Nats per predicted character, ends included, in eval mode.

    Args:
        model: on any device and of any dtype; its mode is put back afterwards.
        inputs: (N, T) int64.
        targets: (N, T) int64, IGNORED where padded.
    """
    training = model.training
    model.eval()
    total = torch.zeros((), dtype=torch.float64)
    for start in range(0, len(inputs), _BATCH):
        batch = slice(start, start + _BATCH)
        logits = model(inputs[batch].to(model.device)).double()
        total += cross_entropy(logits, targets[batch].to(logits.device), reduction="sum").cpu()
    model.train(training)
    return float(total / (targets != IGNORED).sum())


def evaluate(
    model: LanguageModel, vocabulary: Vocabulary, parts: dict[str, Sequence[str]]
) -> dict[str, float]:
    """Nats per character of each part, by name."""
    return {
        name: mean_nll(model, *encode_lines(lines, vocabulary)) for name, lines in parts.items()
    }


def evaluate_split(model: LanguageModel, vocabulary: Vocabulary, split: Split) -> dict[str, float]:
    """Nats per character of train, dev, test, and, where they leak, of the unseen test names."""
    parts: dict[str, Sequence[str]] = {
        "train": split.train,
        "dev": split.dev,
        "test": split.test,
    }
    if 0 < len(split.test_unseen) < len(split.test):
        parts["test_unseen"] = split.test_unseen
    return evaluate(model, vocabulary, parts)

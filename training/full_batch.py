"""Gradient descent on all pairs of a corpus at once, as in lecture 2."""

import torch
from torch import Tensor

from models.neural_bigram import NeuralBigram
from training.counting import pair_counts
from training.evaluate import mean_nll
from training.recipes import FullBatch

_REPORTED = 20
"""Entries in the curve."""


def descend_fully(
    model: NeuralBigram,
    inputs: Tensor,
    targets: Tensor,
    method: FullBatch,
    dev_data: tuple[Tensor, Tensor] | None = None,
) -> list[dict[str, float]]:
    """Lecture 2's loop, in place: the loss over all pairs depends on their counts alone.

    Returns:
        The curve; `train_loss` holds the penalty, `train_nll` does not, both after `step` updates.
    """
    counts = pair_counts(inputs, targets, model.config.vocab_size)
    shares = counts / counts.sum()  # (V, V)
    every = max(1, method.steps // _REPORTED)
    metrics: list[dict[str, float]] = []
    for step in range(method.steps + 1):
        nll = -(shares * model.weight.log_softmax(-1)).sum()
        loss = nll + method.l2 * model.weight.square().mean()
        if step % every == 0 or step == method.steps:
            row = {"step": step, "learning_rate": method.learning_rate,
                   "train_loss": loss.item(), "train_nll": nll.item()}  # fmt: skip
            metrics.append(row | ({"dev_nll": mean_nll(model, *dev_data)} if dev_data else {}))
        if step < method.steps:
            (gradient,) = torch.autograd.grad(loss, [model.weight])
            model.weight.data -= method.learning_rate * gradient
    return metrics

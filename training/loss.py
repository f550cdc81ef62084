"""The one loss: cross entropy per predicted character, in nats."""

from torch import Tensor
from torch.nn import functional as F

from models.vocabulary import BOUNDARY
from training.corpus import IGNORED


def cross_entropy(
    logits: Tensor, targets: Tensor, reduction: str = "mean", *, ends: bool = True
) -> Tensor:
    """-ln P(target), over the positions that are not padding.

    Args:
        logits: (B, T, V).
        targets: (B, T) int64, IGNORED where padded.
        reduction: "mean" or "sum" over characters.
        ends: whether the boundary can be predicted; in running text it cannot, and
            the others share its probability.

    Returns:
        () of the logits' dtype.
    """
    logits = logits.flatten(0, 1)  # (B * T, V)
    targets = targets.flatten()
    if not ends:
        logits = logits[:, BOUNDARY + 1 :]
        targets = (targets - 1).masked_fill(targets == IGNORED, IGNORED)
    return F.cross_entropy(logits, targets, ignore_index=IGNORED, reduction=reduction)

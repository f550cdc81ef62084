"""The one loss: cross entropy per predicted character, in nats."""

from torch import Tensor
from torch.nn import functional as F

from training.corpus import IGNORED


def cross_entropy(logits: Tensor, targets: Tensor, reduction: str = "mean") -> Tensor:
    """-ln P(target), over the positions that are not padding.

    Args:
        logits: (B, T, V).
        targets: (B, T) int64, IGNORED where padded.
        reduction: "mean" or "sum" over characters.

    Returns:
        () of the logits' dtype.
    """
    return F.cross_entropy(
        logits.flatten(0, 1), targets.flatten(), ignore_index=IGNORED, reduction=reduction
    )

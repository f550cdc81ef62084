"""A model's NLLs: each part of each split that it was evaluated on."""

import math
from collections.abc import Mapping

from models.checkpoint import Checkpoint
from training.plots.bars import draw_bars
from training.plots.theme import drawing, subject

_PARTS = {"test_unseen": "test, unseen"}
_ORDER = ("train", "dev", "test", "test_unseen")


def draw_nll(checkpoint: Checkpoint) -> bytes | None:
    """A bar for every part, by split; None where it was not evaluated."""
    evaluation = checkpoint.metadata.evaluation
    kept = checkpoint.metadata.training.get("fitted_on")
    groups = [
        (split, [(_PARTS.get(part, part), nll, _role(part)) for part, nll in _ordered(parts)])
        for split, parts in sorted(evaluation.items(), key=lambda item: item[0] != kept)
        if parts
    ]
    if not groups:
        return None
    choices = len(checkpoint.vocabulary) - (not checkpoint.vocabulary.ends)
    uniform = math.log(choices)
    with drawing():
        return draw_bars(
            "Negative log-likelihood",
            f"{subject(checkpoint)}: nats per character; less is better",
            groups,
            reference=(uniform, f"a uniform guess: ln {choices:,} = {uniform:.2f}"),
        )


def _ordered(parts: Mapping[str, float]) -> list[tuple[str, float]]:
    """Parts as one thinks of them; a loaded configuration has them by the alphabet."""
    order = {part: place for place, part in enumerate(_ORDER)}
    return sorted(parts.items(), key=lambda item: order.get(item[0], len(order)))


def _role(part: str) -> str:
    return "first" if part.startswith("test") else "third"

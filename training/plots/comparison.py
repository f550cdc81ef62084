"""All models side by side, for the documentation."""

from collections.abc import Mapping

from training.plots.bars import draw_bars
from training.plots.theme import brief, drawing


def draw_nll_comparison(rows: Mapping[str, Mapping[str, float]]) -> bytes:
    """The test NLL of every model, the best one first.

    Args:
        rows: by model, its test NLL in nats per character on each split; the first
            split of a model decides its place.

    Raises:
        ValueError: there is no model, or one has no NLL.
    """
    if not rows or not all(rows.values()):
        raise ValueError("nothing to compare: every model needs an NLL")
    ordered = sorted(rows.items(), key=lambda row: next(iter(row[1].values())))
    splits = list(dict.fromkeys(split for nlls in rows.values() for split in nlls))
    roles = dict(zip(splits, ["first", "third", *["second"] * len(splits)], strict=False))
    groups = [
        (brief(model), [(split, nll, roles[split]) for split, nll in nlls.items()])
        for model, nlls in ordered
    ]
    with drawing():
        return draw_bars("Test NLL of every model", "nats per character; less is better", groups)

"""How often each character follows each other one, as the lecture draws it.

Every cell has its two characters and their count. Colour goes by the square
root of the count: on a linear scale a few pairs would leave all others white.
"""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from matplotlib.axes import Axes
from matplotlib.patches import PathPatch
from matplotlib.path import Path

from models.checkpoint import Checkpoint
from training.plots.characters import encode_items, most_frequent, symbol
from training.plots.svg import to_svg
from training.plots.theme import (
    HEAT_LEVELS,
    MARGIN,
    TOP,
    brief,
    color,
    drawing,
    new_axes,
    new_figure,
)

_SHOWN = 40
_CELL = 32
_LEFT = 52
_LAST_PALE = 5
"""The last level on which dark text, in the light scheme, reads better than light text."""


def draw_bigrams(checkpoint: Checkpoint, items: Sequence[str]) -> bytes:
    """The heat map of a corpus, of its 40 most frequent characters where it has more."""
    vocabulary = checkpoint.vocabulary
    encoded = encode_items(items, vocabulary)
    counts = Counter(pair for item in encoded for pair in pairwise(item))
    shown = most_frequent(encoded, _SHOWN)
    everything = len({token_id for item in encoded for token_id in item})
    corpus = brief(str(checkpoint.metadata.corpus.get("name", "the corpus")))
    title = f"Bigrams of {corpus}"
    subtitle = f"{counts.total():,} pairs of neighbours"
    subtitle += f"; {symbol(0, vocabulary)} is start and end" if vocabulary.ends else ""
    if len(shown) < everything:
        subtitle = f"The {len(shown)} most frequent of {everything:,} characters; " + subtitle
    symbols = [symbol(token_id, vocabulary) for token_id in shown]
    table = [[counts[first, second] for second in shown] for first in shown]
    with drawing():
        side = _CELL * len(shown)
        width = max(_LEFT + side + MARGIN, 480)
        figure = new_figure(title, subtitle, width, TOP + 24 + side + MARGIN)
        right = width - _LEFT - side
        axes = new_axes(figure, left=_LEFT, right=right, top=TOP + 24, bottom=MARGIN)
        _fill(axes, table)
        _write_cells(axes, table, symbols)
        axes.set(xlim=(0, len(shown)), ylim=(len(shown), 0))
        centres = [i + 0.5 for i in range(len(shown))]
        axes.set_xticks(centres, symbols)
        axes.set_yticks(centres, symbols)
        axes.xaxis.tick_top()
        axes.tick_params(top=False)
        description = (
            "A table of counts: rows are the first character of a pair, columns the second. "
            f"The most frequent pair occurs {max(map(max, table)):,} times."
        )
        return to_svg(figure, title, description)


def _level(count: int, most: int) -> int:
    """0 for what never occurs, HEAT_LEVELS - 1 for the most frequent."""
    return 0 if not count else 1 + min(HEAT_LEVELS - 2, int((count / most) ** 0.5 * 8))


def _fill(axes: Axes, table: Sequence[Sequence[int]]) -> None:
    """All cells of one level are one path, which makes a tenth of the bytes."""
    most = max(map(max, table))
    for level in range(HEAT_LEVELS):
        cells = [
            Path([(x, y), (x + 1, y), (x + 1, y + 1), (x, y + 1), (x, y)], closed=True)
            for y, row in enumerate(table)
            for x, count in enumerate(row)
            if _level(count, most) == level
        ]
        if cells:
            whole = Path.make_compound_path(*cells)
            axes.add_patch(
                PathPatch(
                    whole,
                    facecolor=color(f"heat-{level}"),
                    edgecolor=color("surface"),
                    linewidth=1,
                    clip_on=False,
                )
            )


def _write_cells(axes: Axes, table: Sequence[Sequence[int]], symbols: Sequence[str]) -> None:
    """Each cell's pair and its count; those that look alike together, which saves bytes."""
    most = max(map(max, table))
    texts = []
    for y, row in enumerate(table):
        for x, count in enumerate(row):
            role = "on-deep" if _level(count, most) > _LAST_PALE else "on-pale"
            texts.append((role, 10, x + 0.5, y + 13 / _CELL, symbols[y] + symbols[x]))
            texts.append((role, 8, x + 0.5, y + 26 / _CELL, _brief_count(count)))
    for role, size, left, down, text in sorted(texts, key=lambda text: text[:2]):
        axes.text(left, down, text, color=color(role), fontsize=size, ha="center", va="baseline")


def _brief_count(count: int) -> str:
    """A count in four characters at most."""
    if count < 10_000:
        return str(count)
    return f"{count / 1000:.0f}k" if count < 1_000_000 else f"{count / 1e6:.0f}M"

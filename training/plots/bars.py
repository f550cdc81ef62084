"""Horizontal bars in groups, each with its name and its value beside it."""

from collections.abc import Sequence

from training.plots.svg import to_svg
from training.plots.theme import MARGIN, TOP, color, new_axes, new_figure, rule, write

Bar = tuple[str, float, str]
"""Name, value, and the palette's role."""

_BAR = 22
_GAP = 14
_DIGIT = 8.2
"""Pixels that a character takes, at the most, in a row's name."""


def draw_bars(
    title: str,
    subtitle: str,
    groups: Sequence[tuple[str, Sequence[Bar]]],
    reference: tuple[float, str] | None = None,
) -> bytes:
    """Draw groups of bars that begin at 0.

    Args:
        title, subtitle: above them.
        groups: the name of each, and its bars; from the top.
        reference: a value to compare with, and what it is.
    """
    bars = [bar for _, group in groups for bar in group]
    names = max(len(name) for name, _ in groups)
    parts = max(len(name) for name, _, _ in bars)
    group_width, part_width = names * _DIGIT + 16, parts * _DIGIT + 12
    left = round(MARGIN + group_width + part_width)
    height = _BAR * len(bars) + _GAP * (len(groups) - 1)
    below = 40 if reference else 12
    figure = new_figure(title, subtitle, 720, TOP + height + below + 24)
    axes = new_axes(figure, left=left, right=72, top=TOP, bottom=below + 24)
    y = 0.0
    for name, group in groups:
        write(figure, MARGIN, TOP + y + 15, name, weight="bold")
        for part, value, role in group:
            write(figure, left - 12, TOP + y + 15, part, role="muted", align="right")
            axes.barh(y + _BAR / 2, value, height=_BAR - 5, color=color(role), clip_on=False)
            axes.annotate(
                f"{value:.4f}",
                (value, y + _BAR / 2),
                (6, 0),
                textcoords="offset points",
                va="center",
                color=color("ink"),
                fontsize=12,
            )
            y += _BAR
        y += _GAP
    most = max([value for _, value, _ in bars] + ([reference[0]] if reference else []))
    axes.set(xlim=(0, most), ylim=(height, 0), yticks=[])
    rule(axes, "x")
    if reference:
        axes.axvline(reference[0], color=color("second"), linewidth=2, clip_on=False)
        write(figure, 720 - MARGIN, TOP + height + 50, reference[1], role="second", align="right")
    lowest = min(bars, key=lambda bar: bar[1])
    described = "; ".join(
        f"{name}: " + ", ".join(f"{part} {value:.4f}" for part, value, _ in group)
        for name, group in groups
    )
    return to_svg(figure, title, f"{described}. The lowest is {lowest[1]:.4f}.")

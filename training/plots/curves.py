"""What happened while a model was fitted: loss, learning rate, and the search for one."""

import math
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import EngFormatter, FuncFormatter, MaxNLocator

from models.checkpoint import Checkpoint
from training.plots.svg import to_svg
from training.plots.theme import (
    color,
    drawing,
    label_axes,
    new_axes,
    new_figure,
    rule,
    subject,
)

_LABEL_HEIGHT = 18
"""Pixels between two labels that stand one above the other."""


def draw_loss(checkpoint: Checkpoint) -> bytes | None:
    """Train loss and dev NLL by step, with the step that was kept; None without a curve.

    Of a mixture the dev NLL of every member, and below them its own.
    """
    rows = _descent_rows(checkpoint)
    if len(rows) < 2:
        return None
    if checkpoint.model.config.members:
        return _draw_members(checkpoint, _by_member(checkpoint, rows))
    steps = [row["step"] for row in rows]
    curves = {
        "dev": ([row["dev_nll"] for row in rows], "first"),
        "train": ([row["train_loss"] for row in rows], "second"),
    }
    best = min(rows, key=lambda row: row["dev_nll"])
    title = "Training curve"
    with drawing():
        figure = new_figure(
            title,
            f"{subject(checkpoint)}: best dev NLL {best['dev_nll']:.4f} at step {best['step']:,}",
        )
        axes = new_axes(figure, right=72)
        for values, role in curves.values():
            axes.plot(steps, values, color=color(role), linewidth=2, clip_on=False)
        axes.plot(
            best["step"],
            best["dev_nll"],
            "o",
            markersize=9,
            color=color("first"),
            markeredgecolor=color("surface"),
            markeredgewidth=2,
            clip_on=False,
        )
        _step_axis(axes, steps)
        rule(axes, "y")
        axes.yaxis.set_major_locator(MaxNLocator(6))
        label_axes(axes, "step", "nats per character")
        _label_ends(axes, steps[-1], [(name, *curve) for name, curve in curves.items()])
        return to_svg(
            figure,
            title,
            f"Dev NLL falls from {rows[0]['dev_nll']:.3f} at step {steps[0]:,} to "
            f"{best['dev_nll']:.3f} nats per character at step {best['step']:,}; "
            f"train loss is {rows[-1]['train_loss']:.3f} at the last step, {steps[-1]:,}.",
        )


def draw_learning_rate(checkpoint: Checkpoint) -> bytes | None:
    """The learning rate by step, of every member in a mixture; None where there was none."""
    rows = _descent_rows(checkpoint)
    if len(rows) < 2:
        return None
    rates = [row["learning_rate"] for row in rows]
    title = "Learning rate"
    with drawing():
        figure = new_figure(
            title, f"{subject(checkpoint)}: highest {_rate(max(rates))}, last {_rate(rates[-1])}"
        )
        axes = new_axes(figure, left=72)
        for _, run in _by_member(checkpoint, rows):
            steps = [row["step"] for row in run]
            own = [row["learning_rate"] for row in run]
            axes.plot(steps, own, color=color("first"), linewidth=2, clip_on=False)
        _step_axis(axes, [rows[0]["step"], max(row["step"] for row in rows)])
        axes.set_ylim(0, max(rates) * 1.05)
        axes.yaxis.set_major_locator(MaxNLocator(5))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda rate, _: _rate(rate)))
        rule(axes, "y")
        label_axes(axes, "step", "learning rate")
        return to_svg(
            figure,
            title,
            f"From {_rate(rates[0])} at step {rows[0]['step']:,} to {_rate(rates[-1])} at step "
            f"{rows[-1]['step']:,}; the highest is {_rate(max(rates))}.",
        )


def draw_lr_find(rates: Sequence[float], losses: Sequence[float], suggested: float) -> bytes:
    """The loss at every learning rate of a range test, and the rate to take.

    Args:
        rates: above 0, ascending.
        losses: nats per character at each; what is not finite is left out.
        suggested: the rate to take, above 0.

    Raises:
        ValueError: fewer than two losses are finite.
    """
    pairs = [pair for pair in zip(rates, losses, strict=True) if math.isfinite(pair[1])]
    if len(pairs) < 2:
        raise ValueError("fewer than two finite losses: there is no curve to draw")
    lowest, first = min(loss for _, loss in pairs), pairs[0][1]
    ceiling = max(first, lowest) + 0.35 * max(first - lowest, 0.1)  # what diverges says no more
    title = "Learning-rate range test"
    with drawing():
        figure = new_figure(title, f"Suggested: {_rate(suggested)}")
        axes = new_axes(figure)
        x, y = zip(*pairs, strict=True)
        axes.plot(x, y, color=color("first"), linewidth=2)
        axes.axvline(suggested, color=color("second"), linewidth=2)
        axes.set_xscale("log")
        axes.set(xlim=(x[0], x[-1]), ylim=(None, ceiling))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda rate, _: _rate(rate)))
        axes.yaxis.set_major_locator(MaxNLocator(6))
        rule(axes, "y")
        label_axes(axes, "learning rate", "nats per character")
        left = math.log(suggested / x[0]) > 0.5 * math.log(x[-1] / x[0])
        axes.annotate(
            _rate(suggested),
            (suggested, 1),
            (-8 if left else 8, -4),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            ha="right" if left else "left",
            va="top",
            color=color("second"),
            fontweight="bold",
        )
        return to_svg(
            figure,
            title,
            f"The loss while the learning rate rises from {_rate(x[0])} to {_rate(x[-1])}; its "
            f"lowest is {lowest:.3f} nats per character, the suggested rate {_rate(suggested)}.",
        )


def _draw_members(
    checkpoint: Checkpoint, runs: Sequence[tuple[str, Sequence[dict[str, Any]]]]
) -> bytes:
    """The dev NLL of every member by step, and the mixture's own as a line."""
    own = checkpoint.metrics[-1]["dev_nll"]
    last = max(row["step"] for _, run in runs for row in run)
    lowest = {name: min(row["dev_nll"] for row in run) for name, run in runs}
    title = "Training curves of the members"
    with drawing():
        figure = new_figure(title, f"{subject(checkpoint)}: dev NLL of the mixture {own:.4f}")
        axes = new_axes(figure, right=190)
        for _, run in runs:
            steps, values = ([row[key] for row in run] for key in ("step", "dev_nll"))
            axes.plot(steps, values, color=color("first"), linewidth=2, clip_on=False)
        axes.plot([0, last], [own, own], color=color("second"), linewidth=2, clip_on=False)
        _step_axis(axes, [0, last])
        # The first looks are far above all that can be told apart.
        axes.set_ylim(own - 0.01, own + 3 * (max(lowest.values()) - own) + 0.05)
        for line in axes.get_lines():
            line.set_clip_on(True)
        rule(axes, "y")
        axes.yaxis.set_major_locator(MaxNLocator(6))
        label_axes(axes, "step", "nats per character")
        ends = [
            (f"{name}: {lowest[name]:.4f}", [run[-1]["dev_nll"]], "first") for name, run in runs
        ]
        _label_ends(axes, last, [*ends, (f"mixture: {own:.4f}", [own], "second")])
        best = ", ".join(f"{name} {nll:.3f}" for name, nll in lowest.items())
        return to_svg(
            figure, title, f"Lowest dev NLL of the members: {best}; of their mixture {own:.3f}."
        )


def _by_member(
    checkpoint: Checkpoint, rows: Sequence[dict[str, Any]]
) -> list[tuple[str, list[dict[str, Any]]]]:
    """The curve of each member that has one, with its name; of any other model, its own."""
    members = checkpoint.model.config.members
    if not members:
        return [(checkpoint.architecture, list(rows))]
    curves = [
        (f"{i + 1} {member.architecture}", [row for row in rows if row.get("member") == i])
        for i, member in enumerate(members)
    ]
    return [(name, curve) for name, curve in curves if curve]  # n-grams are counted


def _rate(rate: float) -> str:
    return f"{rate:.2g}".replace("e-0", "e-")


def _descent_rows(checkpoint: Checkpoint) -> list[dict[str, Any]]:
    """The curve's rows that gradient descent wrote."""
    names = {"step", "learning_rate", "train_loss", "dev_nll"}
    return [row for row in checkpoint.metrics if names <= set(row)]


def _step_axis(axes: Axes, steps: Sequence[int]) -> None:
    axes.set_xlim(min(0, steps[0]), steps[-1])
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(
        FuncFormatter(lambda step, _: f"{step:,.0f}")
        if steps[-1] < 1_000_000
        else EngFormatter(sep="")
    )


def _label_ends(
    axes: Axes, last_step: int, curves: Sequence[tuple[str, Sequence[float], str]]
) -> None:
    """Name each curve at its end, the labels apart where the ends are not."""
    low, high = axes.get_ylim()
    per_pixel = (high - low) / axes.bbox.height
    previous = -math.inf
    for name, values, role in sorted(curves, key=lambda curve: curve[1][-1]):
        previous = max(min(values[-1], high), previous + _LABEL_HEIGHT * per_pixel)
        axes.annotate(
            name,
            (last_step, previous),
            (12, 0),
            textcoords="offset points",
            va="center",
            color=color(role),
            fontweight="bold",
            annotation_clip=False,  # a curve may end above what is shown
        )

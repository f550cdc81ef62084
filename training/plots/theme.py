"""How the pictures look: one palette for light pages and one for dark, one frame.

matplotlib draws with the light palette. `svg.py` then puts a CSS variable in
the place of each of its colours, so that the page's scheme decides.

Lengths are in pixels of the SVG; matplotlib's inch is 72 of them here.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from models.checkpoint import Checkpoint

HEAT_LEVELS = 9
_LIGHT_HEAT = (
    "#f4f6fa", "#e3ecf8", "#cfdff4", "#b3ccee", "#8fb3e6", "#6996da", "#3f70c2", "#2a5aac",
    "#173f86",
)  # fmt: skip
_DARK_HEAT = (
    "#1c212b", "#1f2b41", "#223657", "#264470", "#2d568f", "#3766a5", "#5088cb", "#78aae3",
    "#acd0f7",
)  # fmt: skip
PALETTE = {
    # role: (light, dark)
    "surface": ("#fefefe", "#14171f"),
    "ink": ("#1b2030", "#e8ebf1"),
    "muted": ("#5b6475", "#a0a9ba"),
    "grid": ("#e3e6ec", "#2b303c"),
    "first": ("#2463c2", "#74aaf7"),
    "second": ("#bf4a0f", "#f59a62"),
    "third": ("#7a8496", "#7f8aa0"),
    "pale": ("#a9c5ee", "#37588a"),
    "on-pale": ("#1b2031", "#dfe5ef"),
    "on-deep": ("#fdfdfd", "#0d1420"),
    **{f"heat-{i}": pair for i, pair in enumerate(zip(_LIGHT_HEAT, _DARK_HEAT, strict=True))},
}
"""Every role's light colour occurs once, so that it can be told which role it plays."""

MARGIN = 24
TOP = 84
"""Below the title and the line under it."""

_NAME = 28
"""Characters of a name that is not ours."""

_RC: dict[Any, Any] = {
    "figure.dpi": 72,
    "savefig.dpi": 72,
    "font.family": "DejaVu Sans",  # matplotlib's own; only its widths matter
    "font.size": 12,
    "text.parse_math": False,
    "path.simplify": True,
    "svg.fonttype": "none",
    "svg.hashsalt": "namewright",
}


def color(role: str) -> str:
    """The light colour that stands for a role while matplotlib draws."""
    return PALETTE[role][0]


@contextmanager
def drawing() -> Iterator[None]:
    """Settings within which a picture is drawn and written, whatever the user's own are."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_RC)
        yield


def new_figure(title: str, subtitle: str, width: int = 720, height: int = 420) -> Figure:
    """A surface with its two lines of text."""
    figure = Figure(figsize=(width / 72, height / 72), facecolor=color("surface"))
    write(figure, MARGIN, 34, title, size=17, weight="bold")
    write(figure, MARGIN, 58, subtitle, role="muted")
    return figure


def write(
    figure: Figure,
    x: float,
    y: float,
    text: str,
    *,
    role: str = "ink",
    size: int = 12,
    weight: str = "normal",
    align: str = "left",
) -> None:
    """Put text on the surface; x and y from its top left to the text's baseline."""
    width, height = figure.get_size_inches() * 72
    figure.text(
        x / width,
        1 - y / height,
        text,
        color=color(role),
        fontsize=size,
        fontweight=weight,
        ha=align,
        va="baseline",
    )


def new_axes(
    figure: Figure, *, left: int = 64, right: int = 24, top: int = 116, bottom: int = 54
) -> Axes:
    """Axes that leave these margins, with no frame, quiet labels and no marks."""
    width, height = figure.get_size_inches() * 72
    axes = figure.add_axes(
        (
            left / width,
            bottom / height,
            (width - left - right) / width,
            (height - top - bottom) / height,
        )
    )
    axes.set_facecolor("none")
    axes.spines[:].set_visible(False)
    axes.tick_params(
        left=False, bottom=False, labelcolor=color("muted"), labelsize=12, pad=6, which="both"
    )
    axes.tick_params(which="minor", labelleft=False, labelbottom=False)
    axes.set_axisbelow(True)
    return axes


def rule(axes: Axes, direction: str) -> None:
    """Quiet lines across the axes at the ticks of `x` or `y`."""
    axes.grid(axis=direction, color=color("grid"), linewidth=1)  # type: ignore[arg-type]


def label_axes(axes: Axes, x: str, y: str) -> None:
    """Say what the axes measure: `x` below, `y` above its axis, where it reads level."""
    figure = axes.get_figure(root=True)
    if figure is None:
        raise ValueError("axes without a figure")
    width, height = figure.get_size_inches() * 72
    box = axes.get_position()
    if x:
        write(figure, box.x1 * width, height - 14, x, role="muted", align="right")
    if y:
        write(figure, MARGIN, (1 - box.y1) * height - 12, y, role="muted")


def key(figure: Figure, entries: Sequence[tuple[str, str]], y: int = 82) -> None:
    """What the colours mean, as (text, role), in one line of words in these colours."""
    x = float(MARGIN)
    for text, role in entries:
        write(figure, x, y, text, role=role, weight="bold")
        # Bold DejaVu is among the widest of fonts, so that others leave a gap at most.
        extent = figure.texts[-1].get_window_extent()
        x += extent.width + 24


def subject(checkpoint: Checkpoint) -> str:
    """Which model on which corpus, in a few words."""
    recipe = str(checkpoint.metadata.training.get("recipe") or checkpoint.architecture)
    corpus = checkpoint.metadata.corpus.get("name")
    return brief(recipe) + (f" on {brief(str(corpus))}" if corpus else "")


def brief(text: str) -> str:
    """A caller's text, short and safe to write."""
    safe = "".join(character if character.isprintable() else "?" for character in text)
    return safe if len(safe) <= _NAME else safe[: _NAME - 1] + "…"

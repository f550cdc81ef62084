"""The corpus beside what the model makes of it: lengths of names, or shares of characters."""

import copy
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TypeVar

from matplotlib.ticker import FuncFormatter, MaxNLocator

from models.checkpoint import Checkpoint
from models.generation import generate
from models.request import GenerationRequest
from training.plots.characters import visible
from training.plots.svg import to_svg
from training.plots.theme import color, drawing, key, label_axes, new_axes, new_figure, subject

T = TypeVar("T")

_SEED = 0
_NAMES = 1000
_TEXTS = 100
_TEXT_LENGTH = 200
_CHARACTERS = 40
_ROOM = 56
"""Characters that fit side by side below the axes."""


def draw_samples(checkpoint: Checkpoint, items: Sequence[str]) -> bytes:
    """Lengths of the corpus's and of drawn names; for running text, shares of characters."""
    names = checkpoint.vocabulary.ends
    drawn = _draw(checkpoint)
    return _lengths(checkpoint, items, drawn) if names else _characters(checkpoint, items, drawn)


def _draw(checkpoint: Checkpoint) -> list[str]:
    """Samples of the model, as the service draws them."""
    model = copy.deepcopy(checkpoint.model).to("cpu").double().eval().requires_grad_(False)
    request = GenerationRequest(_SEED, _NAMES)
    if not checkpoint.vocabulary.ends:
        length = min(_TEXT_LENGTH, model.max_length or _TEXT_LENGTH)
        request = GenerationRequest(_SEED, _TEXTS, max_length=length)
    return [found.name for found in generate(model, checkpoint.vocabulary, request).names]


def _lengths(checkpoint: Checkpoint, items: Sequence[str], drawn: Sequence[str]) -> bytes:
    title = "Lengths of names"
    corpus, model = (Counter(map(len, names)) for names in (items, drawn))
    means = [
        sum(n * count for n, count in lengths.items()) / max(1, lengths.total())
        for lengths in (corpus, model)
    ]
    places = list(range(1, max([*corpus, *model]) + 1))
    return _compare(
        (title, subject(checkpoint)),
        _shares(corpus, places),
        _shares(model, places),
        [str(length) for length in places],
        [
            f"corpus: {len(items):,} names, mean {means[0]:.2f}",
            f"model: {len(drawn):,} drawn, mean {means[1]:.2f}",
        ],
        ("characters", "share of names"),
        f"The mean length is {means[0]:.2f} characters in the corpus and {means[1]:.2f} "
        f"in {len(drawn):,} names drawn from the model with seed {_SEED}.",
    )


def _characters(checkpoint: Checkpoint, items: Sequence[str], drawn: Sequence[str]) -> bytes:
    title = "Shares of characters"
    corpus, model = (Counter("".join(texts)) for texts in (items, drawn))
    shown = sorted(corpus, key=lambda character: (-corpus[character], character))[:_CHARACTERS]
    return _compare(
        (title, subject(checkpoint)),
        _shares(corpus, shown),
        _shares(model, shown),
        [visible(character) for character in shown],
        [f"corpus: {corpus.total():,} characters", f"model: {model.total():,} drawn"],
        (f"the {len(shown)} most frequent characters", "share of characters"),
        f"Each character's share in the corpus, beside {model.total():,} characters drawn "
        f"from the model with seed {_SEED}.",
    )


def _shares(counts: Mapping[T, int], shown: Sequence[T]) -> list[float]:
    total = max(1, sum(counts.values()))
    return [counts.get(value, 0) / total for value in shown]


def _compare(
    heading: tuple[str, str],
    corpus: Sequence[float],
    model: Sequence[float],
    labels: Sequence[str],
    legend: Sequence[str],
    units: tuple[str, str],
    description: str,
) -> bytes:
    """Bars for the corpus, dots for the model, one of each a label."""
    with drawing():
        figure = new_figure(*heading)
        key(figure, list(zip(legend, ("first", "second"), strict=True)))
        axes = new_axes(figure, top=124)
        places = range(len(labels))
        axes.bar(places, corpus, width=0.78, color=color("pale"), clip_on=False)
        axes.plot(
            places,
            model,
            "o",
            markersize=7,
            color=color("second"),
            markeredgecolor=color("surface"),
            markeredgewidth=1.5,
            clip_on=False,
        )
        every = -(-sum(map(len, labels)) // _ROOM)
        axes.set_xticks(list(places)[::every], labels[::every])
        axes.set_xlim(-0.6, len(labels) - 0.4)
        axes.set_ylim(0, max([*corpus, *model, 1e-9]) * 1.05)
        axes.yaxis.set_major_locator(MaxNLocator(5))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.3g} %"))
        axes.grid(axis="y", color=color("grid"), linewidth=1)
        label_axes(axes, *units)
        return to_svg(figure, heading[0], description)

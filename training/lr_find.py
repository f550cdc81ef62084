"""The learning-rate range test: the rate grows at every step, and the loss tells which will do.

From a rate that learns nothing to one that learns nothing any more, with equal
steps of its logarithm; each step is one of the training loop, batch, clipping
and all, at that rate.

Source: Smith 2015, https://arxiv.org/abs/1506.01186, and Karpathy's lecture 3,
whose sweep goes from 0.001 to 1 in 1,000 steps on minibatches.
Deviations: both read the rate off the picture. Here it is a tenth of the one at
which the smoothed loss is lowest: there the steps are already as large as they can
be without harm. Where the loss falls the fastest, the other usual choice, is too
low with AdamW: that is when the frequencies of characters are learned, at rates five
to sixty times below those of our recipes.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.errors import ConfigError
from models.vocabulary import Vocabulary
from training.descent import Trainer
from training.fit import initialise, make_batches
from training.recipes import Descent, Recipe
from training.run import Run

MIN_STEPS = 20
"""Fewer tell nothing from noise."""
_DIVERGED = 4.0
"""Times the lowest loss."""
_BELOW_LOWEST = 10.0
_SMOOTHING = 0.04
"""Width of the smoothing, as a share of the sweep."""


@dataclass(frozen=True)
class Sweep:
    """What a range test saw.

    Attributes:
        rates: ascending, one a step.
        losses: of each step's batch, nats per character.
        smoothed: the losses without most of their noise.
        suggested: the rate to train with; NaN without a loss.
        still_falling: whether the loss was lowest at the last rate, so that higher
            ones should be tried.
        diverged: whether it ended because the loss had left for good.
        finished: False if it was asked to stop.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    smoothed: tuple[float, ...]
    suggested: float
    still_falling: bool
    diverged: bool
    finished: bool


def find_rate(
    recipe: Recipe,
    method: Descent,
    vocabulary: Vocabulary,
    train: Sequence[str],
    dev: Sequence[str],
    *,
    seed: int,
    steps: int = 1000,
    first: float = 1e-5,
    last: float = 1.0,
    run: Run = Run(),
) -> Sweep:
    """Train a fresh model while the rate grows.

    Args:
        recipe, method: as in `fit`, for all but steps and rates.
        vocabulary, train, dev: as in `fit`; dev is not looked at.
        seed: of initialisation, data order and dropout.
        steps: of the sweep, at least MIN_STEPS.
        first, last: rates, 0 < first < last.
        run: how and where; `stop` ends the sweep.

    Raises:
        ConfigError: a value is out of its range, or the loss is none at all.
        CorpusError: a line or the text does not fit the recipe.
    """
    if steps < MIN_STEPS:
        raise ConfigError(f"steps must be at least {MIN_STEPS}, not {steps}")
    if not 0 < first < last < math.inf:
        raise ConfigError(f"rates must be above 0 and ascend, not from {first:g} to {last:g}")
    rates = np.geomspace(first, last, steps).tolist()
    model = initialise(recipe, vocabulary, (*train, *dev), seed).to(run.device)
    batches = make_batches(
        recipe, vocabulary, train, dev, block_size=model.config.block_size, seed=seed
    )
    trainer = Trainer(
        method, model, batches, seed=seed, ends=vocabulary.ends, run=run,
        schedule=lambda _, step: rates[step],
    )  # fmt: skip
    losses: list[float] = []
    diverged = False
    while len(losses) < steps and not diverged and (loss := trainer.step()) is not None:
        losses.append(loss)
        # Not "above": a comparison with NaN is False.
        diverged = not loss <= _DIVERGED * min(losses)
    if diverged:
        losses.pop()
    finished = diverged or len(losses) == steps
    if finished and len(losses) < MIN_STEPS:
        raise ConfigError(f"the loss diverged after {len(losses)} steps; begin below {first:g}")
    smoothed = smooth(losses, max(1.0, _SMOOTHING * steps))
    lowest = int(np.argmin(smoothed)) if losses else 0
    return Sweep(
        rates=tuple(rates[: len(losses)]),
        losses=tuple(losses),
        smoothed=tuple(smoothed),
        suggested=rates[lowest] / _BELOW_LOWEST if losses else math.nan,
        still_falling=lowest == steps - 1,
        diverged=diverged,
        finished=finished,
    )


def smooth(values: Sequence[float], width: float) -> list[float]:
    """Weighted means around each value, with the weights of a normal of deviation `width`.

    Unlike an exponential average it does not lag behind.
    """
    places = np.arange(len(values))
    weights: NDArray[np.float64] = np.exp(-0.5 * ((places[:, None] - places) / width) ** 2)
    smoothed: list[float] = (weights @ np.asarray(values) / weights.sum(1)).tolist()
    return smoothed

"""Recipes: every decision that goes into a bundled model, as one complete value.

Adding a model: a function that returns its recipe, and a line in RECIPES.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from models.config import ModelConfig


@dataclass(frozen=True)
class Counting:
    """Fitting by counting pairs of neighbours.

    Attributes:
        smoothing: added to every count, >= 0.
        whole_corpus: the model that is kept is counted over train, dev and test
            together (the lecture's way); its held-out NLLs come from train alone.
    """

    smoothing: float = 1.0
    whole_corpus: bool = False


@dataclass(frozen=True)
class Descent:
    """Fitting by gradient descent: AdamW, its schedule, and when to stop.

    Attributes:
        steps: gradient steps at most.
        batch_size: names a step.
        learning_rate: at the end of the warm-up.
        final_learning_rate: at the last step, after half a cosine.
        warmup_steps: of a linear rise.
        weight_decay: AdamW's, on matrices alone.
        grad_clip: the largest norm of a gradient.
        ema_decay: of the averaged weights, which are what is kept.
        eval_every: steps between looks at the dev part.
        patience: looks without a better dev NLL before it stops early.
    """

    steps: int
    batch_size: int = 256
    learning_rate: float = 2e-3
    final_learning_rate: float = 2e-5
    warmup_steps: int = 200
    weight_decay: float = 0.1
    grad_clip: float = 1.0
    ema_decay: float = 0.999
    eval_every: int = 250
    patience: int = 12


@dataclass(frozen=True)
class Recipe:
    """What is fitted, and how.

    Attributes:
        architecture: its name in the registry.
        method: how.
        block_size: None takes the longest line of the corpus and one more.
        n_layer, n_head, n_embd, n_embd2, dropout: as in ModelConfig.
    """

    architecture: str
    method: Counting | Descent
    block_size: int | None = None
    n_layer: int = 1
    n_head: int = 1
    n_embd: int = 1
    n_embd2: int = 1
    dropout: float = 0.0

    def model_config(self, vocab_size: int, longest: int) -> ModelConfig:
        """The hyperparameters for a corpus of `vocab_size` and a longest line of `longest`."""
        return ModelConfig(
            block_size=self.block_size or longest + 1,
            vocab_size=vocab_size,
            n_layer=self.n_layer,
            n_head=self.n_head,
            n_embd=self.n_embd,
            n_embd2=self.n_embd2,
            dropout=self.dropout,
        )

    def settings(self) -> dict[str, Any]:
        """The method's values, for a checkpoint's training record."""
        return asdict(self.method)


def bigram() -> Recipe:
    """The lecture's model: counts over every name, plus one each."""
    return Recipe("bigram", Counting(smoothing=1.0, whole_corpus=True), block_size=1)


def transformer() -> Recipe:
    """makemore's size, with what its loop lacks: dropout, a schedule, averaged weights."""
    method = Descent(steps=8000)
    return Recipe("transformer", method, n_layer=4, n_head=4, n_embd=64, dropout=0.1)


RECIPES: dict[str, Callable[[], Recipe]] = {
    "bigram": bigram,
    "transformer": transformer,
}

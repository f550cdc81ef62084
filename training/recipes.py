"""Recipes: every decision that goes into a bundled model, as one complete value.

Adding a model: a function that returns its recipe, and a line in RECIPES.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

from models.config import ModelConfig
from models.errors import ConfigError


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
class Discounting:
    """Fitting an n-gram model by counting.

    Attributes:
        discount: taken off every count, above 0 and at most 1.
    """

    discount: float


@dataclass(frozen=True)
class FullBatch:
    """Plain gradient descent of a bigram model on all pairs at once, as in lecture 2.

    Attributes:
        steps: gradient steps.
        learning_rate: constant; 50 is the lecture's.
        l2: times the mean square of the weights, added to the loss.
        whole_corpus: as for Counting.
    """

    steps: int = 200
    learning_rate: float = 50.0
    l2: float = 0.01
    whole_corpus: bool = False


@dataclass(frozen=True)
class Descent:
    """Fitting by gradient descent: AdamW, its schedule, and when to stop.

    Attributes:
        steps: gradient steps at most.
        batch_size: names, or chunks of text, a step.
        learning_rate: at the end of the warm-up.
        final_learning_rate: at the last step, after half a cosine.
        warmup_steps: of a linear rise.
        weight_decay: AdamW's, on matrices alone.
        grad_clip: the largest norm of a gradient.
        ema_decay: of the averaged weights, which are what is kept.
        eval_every: steps between looks at the dev part.
        patience: looks without a better dev NLL before it stops early.
        parts: of like length that a batch of names is cut into, to save padding;
            1 where batch normalisation needs the batch whole.
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
    parts: int = 4


@dataclass(frozen=True)
class Ensemble:
    """Fitting each member of a mixture on its own, then the weights of their mean.

    Attributes:
        members: recipes of the members, each counted or fitted by Descent; member i
            has seed + i.
    """

    members: "tuple[Recipe, ...]"


@dataclass(frozen=True)
class Recipe:
    """What is fitted, and how.

    Attributes:
        architecture: its name in the registry.
        method: how.
        kind: of corpus, `lines` or `text`.
        block_size: None takes the longest line of the corpus and one more.
        n_layer, n_head, n_embd, n_embd2, dropout: as in ModelConfig.
    """

    architecture: str
    method: Counting | Discounting | FullBatch | Descent | Ensemble
    kind: str = "lines"
    block_size: int | None = None
    n_layer: int = 1
    n_head: int = 1
    n_embd: int = 1
    n_embd2: int = 1
    dropout: float = 0.0

    def model_config(self, vocab_size: int, longest: int, n_grams: int = 0) -> ModelConfig:
        """The hyperparameters for a corpus of `vocab_size` and a longest line of `longest`."""
        return ModelConfig(
            block_size=self.block_size or longest + 1,
            vocab_size=vocab_size,
            n_layer=self.n_layer,
            n_head=self.n_head,
            n_embd=self.n_embd,
            n_embd2=self.n_embd2,
            dropout=self.dropout,
            n_grams=n_grams,
        )

    def settings(self) -> dict[str, Any]:
        """The method's values, for a checkpoint's training record."""
        return asdict(self.method)


def bigram() -> Recipe:
    """The lecture's model: counts over every name, plus one each."""
    return Recipe("bigram", Counting(smoothing=1.0, whole_corpus=True), block_size=1)


def neural_bigram() -> Recipe:
    """The lecture's single layer, with its penalty."""
    return Recipe("neural-bigram", FullBatch(whole_corpus=True), block_size=1)


def ngram() -> Recipe:
    """Four characters of context, and the discount that is best for the model alone."""
    return Recipe("ngram", Discounting(0.8), block_size=4)


def mlp() -> Recipe:
    """A context as long as makemore's: whole names, but for the longest."""
    method = Descent(steps=5000, learning_rate=4e-3)
    return Recipe("mlp", method, block_size=10, n_embd=24, n_embd2=192, dropout=0.2)


def mlp_lecture() -> Recipe:
    """The size of lecture 3: three characters, 10 dimensions, 200 hidden."""
    method = Descent(steps=6000, learning_rate=4e-3, weight_decay=0.01)
    return Recipe("mlp", method, block_size=3, n_embd=10, n_embd2=200)


def bow() -> Recipe:
    """makemore's size."""
    method = Descent(steps=6000, learning_rate=1e-2, weight_decay=0.01)
    return Recipe("bow", method, n_embd=64, n_embd2=64)


def rnn() -> Recipe:
    """makemore's size."""
    return Recipe("rnn", Descent(steps=4000, learning_rate=4e-3), n_embd=64, n_embd2=64)


def gru() -> Recipe:
    """makemore's size."""
    return Recipe("gru", Descent(steps=4000, learning_rate=8e-3), n_embd=64, n_embd2=64)


def lstm() -> Recipe:
    """The GRU's size."""
    return Recipe("lstm", Descent(steps=4000, learning_rate=8e-3), n_embd=64, n_embd2=64)


def cnn() -> Recipe:
    """Lecture 6: a tree over 8 characters, about its size; dropout is ours."""
    method = Descent(steps=5000, learning_rate=4e-3, parts=1)
    return Recipe("cnn", method, block_size=8, n_embd=24, n_embd2=128, dropout=0.1)


def transformer() -> Recipe:
    """makemore's size, with what its loop lacks: dropout, a schedule, averaged weights."""
    method = Descent(steps=8000)
    return Recipe("transformer", method, n_layer=4, n_head=4, n_embd=64, dropout=0.1)


def mixture() -> Recipe:
    """The best within a million parameters: nets of several kinds, and n-grams.

    The nets learn what names have in common, the n-grams hardly smoothed know those
    that there are by heart.
    """
    gru_member, counted = _gru_and_ngram()
    recurrent = Descent(steps=7000, learning_rate=3e-3)
    members = (
        gru_member,
        transformer(),
        Recipe("lstm", recurrent, n_layer=1, n_embd=48, n_embd2=224, dropout=0.2),
        replace(transformer(), dropout=0.05),
        counted,
    )
    return Recipe("mixture", Ensemble(members))


def gru_ngram() -> Recipe:
    """The two members of `mixture` that give most for what they cost: for serving."""
    return Recipe("mixture", Ensemble(_gru_and_ngram()))


def _gru_and_ngram() -> tuple[Recipe, Recipe]:
    method = Descent(steps=7000, learning_rate=3e-3)
    gru_member = Recipe("gru", method, n_layer=2, n_embd=48, n_embd2=160, dropout=0.2)
    return gru_member, replace(ngram(), method=Discounting(0.25))


def korean_lookup() -> Recipe:
    """The lookup table that the notes begin with, on running Korean text."""
    # No early stop: what it comes to on the training part is what the notes look at.
    method = Descent(
        steps=5000, batch_size=512, learning_rate=1e-2, final_learning_rate=1e-3,
        weight_decay=0.0, patience=40,
    )  # fmt: skip
    return Recipe("neural-bigram", method, kind="text", block_size=8)


def korean_gpt() -> Recipe:
    """The full character GPT on running Korean text."""
    method = Descent(steps=4000, batch_size=16, learning_rate=2e-3)
    return Recipe(
        "transformer", method, kind="text", block_size=128,
        n_layer=4, n_head=4, n_embd=96, dropout=0.2,
    )  # fmt: skip


RECIPES: dict[str, Callable[[], Recipe]] = {
    "bigram": bigram,
    "neural-bigram": neural_bigram,
    "ngram": ngram,
    "mlp": mlp,
    "mlp-lecture": mlp_lecture,
    "bow": bow,
    "rnn": rnn,
    "gru": gru,
    "lstm": lstm,
    "cnn": cnn,
    "transformer": transformer,
    "mixture": mixture,
    "gru-ngram": gru_ngram,
    "korean-lookup": korean_lookup,
    "korean-gpt": korean_gpt,
}


def find_recipe(name: str) -> Recipe:
    """The recipe of a name.

    Raises:
        ConfigError: there is none; it names those there are.
    """
    if name not in RECIPES:
        raise ConfigError(f"unknown recipe {name!r}; known: {', '.join(RECIPES)}")
    return RECIPES[name]()

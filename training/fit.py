"""From a recipe and data to a trained model, each method its own way."""

import hashlib
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, cast

import torch

from models.base import LanguageModel
from models.bigram import Bigram
from models.errors import ConfigError
from models.neural_bigram import NeuralBigram
from models.ngram import NGram
from models.registry import build_model
from models.rows import longest_name
from models.vocabulary import Vocabulary
from training.batches import Batches, LineBatches, TextBatches
from training.corpus import CorpusError, encode_lines
from training.counting import count, ngram_counts
from training.descent import Trainer
from training.evaluate import mean_nll
from training.full_batch import descend_fully
from training.mixing import assemble, mix
from training.recipes import Counting, Descent, Discounting, Ensemble, FullBatch, Recipe
from training.resume import Place
from training.run import Run


@dataclass(frozen=True)
class Fitted:
    """A trained model, float32 in eval mode on the CPU, and how it came about.

    Attributes:
        model: the model.
        metrics: its curve, one entry a look at dev; a mixture's members one after the other.
        best_step: whose weights these are.
        seconds: spent training, over all parts of a run that was stopped.
        finished: whether it came to its end; if not, the model is the best so far.
    """

    model: LanguageModel
    metrics: tuple[dict[str, Any], ...]
    best_step: int
    seconds: float
    finished: bool = True


def fit(
    recipe: Recipe,
    vocabulary: Vocabulary,
    train: Sequence[str],
    dev: Sequence[str],
    *,
    seed: int,
    run: Run = Run(),
) -> Fitted:
    """Fit a model on `train`, choosing the step that is best on `dev`.

    Args:
        recipe: complete; see recipes.py.
        vocabulary: holds every character of both parts.
        train, dev: lines in NFC; running text is one string.
        seed: decides initialisation, data order and dropout, >= 0.
        run: device, precision, where to save its state and so on.

    Raises:
        CorpusError: a line is longer than the recipe's block_size allows, or a text too short.
        ConfigError: the recipe does not fit its architecture.
        ResumeError: the saved state belongs to another run or is damaged.
    """
    if isinstance(recipe.method, Ensemble):
        return _fit_mixture(recipe, vocabulary, train, dev, seed=seed, run=run)
    if isinstance(recipe.method, Descent):
        return _descend(recipe, vocabulary, train, dev, seed=seed, run=run)
    started = time.monotonic()
    if isinstance(recipe.method, Discounting):
        model, metrics = _discount(recipe, vocabulary, train, dev)
    else:
        model, metrics = _fit_pairs(recipe, vocabulary, train, dev, seed)
    for row in metrics:
        run.report(row)
    best_step = int(metrics[-1]["step"])
    return Fitted(model.eval(), tuple(metrics), best_step, time.monotonic() - started)


def make_batches(
    recipe: Recipe, vocabulary: Vocabulary, train: Sequence[str], dev: Sequence[str], *,
    block_size: int, seed: int,
) -> Batches:  # fmt: skip
    """What a recipe of Descent learns from.

    Raises:
        CorpusError: a text is shorter than block_size.
    """
    method = cast(Descent, recipe.method)
    if vocabulary.ends:
        return LineBatches(
            train, dev, vocabulary, batch_size=method.batch_size, parts=method.parts, seed=seed
        )
    (text,), (held_out,) = train, dev
    if len(text) < block_size:
        raise CorpusError(
            f"{len(text)} characters to train on; allowed: at least block_size {block_size}"
        )
    return TextBatches(
        text, held_out, vocabulary,
        block_size=block_size, batch_size=method.batch_size, seed=seed,
    )  # fmt: skip


def initialise(
    recipe: Recipe, vocabulary: Vocabulary, items: Sequence[str], seed: int, n_grams: int = 0
) -> LanguageModel:
    """The model of a recipe before its first step; CorpusError if the items do not fit it."""
    longest = max(map(len, items))
    torch.manual_seed(seed)
    config = recipe.model_config(len(vocabulary), longest, n_grams)
    model = build_model(recipe.architecture, config)
    if vocabulary.ends and longest > (limit := longest_name(model, vocabulary)):
        raise CorpusError(f"a line of {longest} characters; the model holds {limit}")
    return model


_Metrics = list[dict[str, Any]]


def _fit_pairs(
    recipe: Recipe, vocabulary: Vocabulary, train: Sequence[str], dev: Sequence[str], seed: int
) -> tuple[LanguageModel, _Metrics]:
    """A bigram model, by counting or by descent on the counts, and its curve."""
    model = initialise(recipe, vocabulary, (*train, *dev), seed)
    training_data, dev_data = encode_lines(train, vocabulary), encode_lines(dev, vocabulary)
    if isinstance(recipe.method, Counting) and isinstance(model, Bigram):
        count(model, *training_data, smoothing=recipe.method.smoothing)
        return model, [{"step": 0, "dev_nll": mean_nll(model, *dev_data)}]
    if isinstance(recipe.method, FullBatch) and isinstance(model, NeuralBigram):
        return model, descend_fully(model, *training_data, recipe.method, dev_data)
    raise _no_way(recipe)


def _discount(
    recipe: Recipe, vocabulary: Vocabulary, train: Sequence[str], dev: Sequence[str]
) -> tuple[LanguageModel, _Metrics]:
    """An n-gram model and its curve, which is a point."""
    items = (*train, *dev)
    size = recipe.model_config(len(vocabulary), max(map(len, items))).block_size
    _, targets = encode_lines(train, vocabulary)
    keys, cumulative = ngram_counts(targets, len(vocabulary), size)
    model = initialise(recipe, vocabulary, items, seed=0, n_grams=len(keys))
    if not isinstance(model, NGram):
        raise _no_way(recipe)
    model.set_counts(keys, cumulative, cast(Discounting, recipe.method).discount)
    return model, [{"step": 0, "dev_nll": mean_nll(model, *encode_lines(dev, vocabulary))}]


def _no_way(recipe: Recipe) -> ConfigError:
    return ConfigError(f"{recipe.architecture} cannot be fitted by {type(recipe.method).__name__}")


def _descend(
    recipe: Recipe, vocabulary: Vocabulary, train: Sequence[str], dev: Sequence[str], *,
    seed: int, run: Run,
) -> Fitted:  # fmt: skip
    method = cast(Descent, recipe.method)
    model = initialise(recipe, vocabulary, (*train, *dev), seed)
    batches = make_batches(
        recipe, vocabulary, train, dev, block_size=model.config.block_size, seed=seed
    )
    identity = _identity(recipe, vocabulary, train, dev, seed, run)
    trainer = Trainer(
        method, model.to(run.device), batches, seed=seed, ends=vocabulary.ends, run=run,
        place=Place(run.state, identity, run.group.rank) if run.state else None,
    )  # fmt: skip
    finished = trainer.train()
    progress = trainer.progress
    return Fitted(
        model.cpu().eval(), tuple(progress.metrics), progress.best_step or progress.step,
        progress.seconds, finished,
    )  # fmt: skip


def _identity(
    recipe: Recipe, vocabulary: Vocabulary, train: Sequence[str], dev: Sequence[str],
    seed: int, run: Run,
) -> dict[str, Any]:  # fmt: skip
    """All that decides a run but how many processes share it: they come and go."""
    data = hashlib.sha256("\0".join((*train, "", *dev)).encode()).hexdigest()
    recipe_values = asdict(recipe)
    return {
        **recipe_values.pop("method"),
        **recipe_values,
        "data": data,
        "alphabet": "".join(vocabulary.characters),
        "seed": seed,
        "device": run.device,
        "precision": run.precision,
        "torch": str(torch.__version__),
    }


def _fit_mixture(
    recipe: Recipe, vocabulary: Vocabulary, train: Sequence[str], dev: Sequence[str], *,
    seed: int, run: Run,
) -> Fitted:  # fmt: skip
    """Fit the members, and weigh them on dev; if asked to stop, those that there are."""
    fitted = _fit_members(cast(Ensemble, recipe.method), vocabulary, train, dev, seed=seed, run=run)
    mixture = assemble(recipe, vocabulary, (*train, *dev), [one.model for one in fitted])
    dev_data = encode_lines(dev, vocabulary)
    mix(mixture, *dev_data)
    rows = [{"member": i} | row for i, one in enumerate(fitted) for row in one.metrics]
    step = sum(one.metrics[-1]["step"] if one.metrics else 0 for one in fitted)
    last = {"step": step, "dev_nll": mean_nll(mixture, *dev_data)}
    if rows:  # else there was no look at dev yet, of which this would be one
        run.report(last)
        rows.append(last)
    return Fitted(
        mixture.eval(), tuple(rows), step,
        sum(one.seconds for one in fitted), all(one.finished for one in fitted),
    )  # fmt: skip


def _fit_members(
    method: Ensemble, vocabulary: Vocabulary, train: Sequence[str], dev: Sequence[str], *,
    seed: int, run: Run,
) -> list[Fitted]:  # fmt: skip
    """The members one after the other, up to the one that was asked to stop."""
    fitted: list[Fitted] = []
    for i, member in enumerate(method.members):

        def report(row: dict[str, Any], i: int = i) -> None:
            run.report({"member": i} | row)

        own = replace(run, state=run.state and run.state.with_suffix(f".{i}.pt"), report=report)
        fitted.append(fit(member, vocabulary, train, dev, seed=seed + i, run=own))
        if not fitted[-1].finished:
            break
    return fitted

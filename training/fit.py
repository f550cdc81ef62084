"""From a recipe and data to a trained model, each method its own way."""

import hashlib
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, cast

import torch
from torch import Tensor

from models.base import LanguageModel
from models.bigram import Bigram
from models.config import Member
from models.errors import ConfigError
from models.mixture import Mixture
from models.neural_bigram import NeuralBigram
from models.registry import build_model
from models.rows import longest_name
from models.vocabulary import Vocabulary
from training.batches import Batches, LineBatches, TextBatches
from training.corpus import IGNORED, CorpusError, encode_lines
from training.descent import Run, Trainer
from training.evaluate import mean_nll
from training.recipes import Counting, Descent, Ensemble, FullBatch, Recipe
from training.resume import Place

_REPORTED = 20
"""Entries in the curve of full-batch descent."""
_EM_STEPS = 200


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
    model = initialise(recipe, vocabulary, (*train, *dev), seed)
    if isinstance(recipe.method, Descent):
        return _descend(recipe, vocabulary, model, train, dev, seed=seed, run=run)
    started = time.monotonic()
    training_data, dev_data = encode_lines(train, vocabulary), encode_lines(dev, vocabulary)
    if isinstance(recipe.method, Counting) and isinstance(model, Bigram):
        count(model, *training_data, smoothing=recipe.method.smoothing)
        metrics = [{"step": 0, "dev_nll": mean_nll(model, *dev_data)}]
    elif isinstance(recipe.method, FullBatch) and isinstance(model, NeuralBigram):
        metrics = descend_fully(model, *training_data, recipe.method, dev_data)
    else:
        way = type(recipe.method).__name__
        raise ConfigError(f"{recipe.architecture} cannot be fitted by {way}")
    for row in metrics:
        run.report(row)
    best_step = int(metrics[-1]["step"])
    return Fitted(model.eval(), tuple(metrics), best_step, time.monotonic() - started)


def count(model: Bigram, inputs: Tensor, targets: Tensor, smoothing: float) -> None:
    """Set a bigram model's counts to those of (N, T) inputs and targets, in place."""
    model.counts.copy_(pair_counts(inputs, targets, model.config.vocab_size))
    model.smoothing.fill_(smoothing)


def pair_counts(inputs: Tensor, targets: Tensor, vocab_size: int) -> Tensor:
    """(V, V) int64: how often the column's character followed the row's."""
    seen = targets != IGNORED
    pairs = inputs[seen] * vocab_size + targets[seen]
    return torch.bincount(pairs, minlength=vocab_size**2).view(vocab_size, vocab_size)


def descend_fully(
    model: NeuralBigram,
    inputs: Tensor,
    targets: Tensor,
    method: FullBatch,
    dev_data: tuple[Tensor, Tensor] | None = None,
) -> list[dict[str, float]]:
    """Lecture 2's loop, in place: the loss over all pairs depends on their counts alone.

    Returns:
        The curve; `train_loss` holds the penalty, `train_nll` does not, both after `step` updates.
    """
    counts = pair_counts(inputs, targets, model.config.vocab_size)
    shares = counts / counts.sum()  # (V, V)
    every = max(1, method.steps // _REPORTED)
    metrics: list[dict[str, float]] = []
    for step in range(method.steps + 1):
        nll = -(shares * model.weight.log_softmax(-1)).sum()
        loss = nll + method.l2 * model.weight.square().mean()
        if step % every == 0 or step == method.steps:
            row = {"step": step, "learning_rate": method.learning_rate,
                   "train_loss": loss.item(), "train_nll": nll.item()}  # fmt: skip
            metrics.append(row | ({"dev_nll": mean_nll(model, *dev_data)} if dev_data else {}))
        if step < method.steps:
            (gradient,) = torch.autograd.grad(loss, [model.weight])
            model.weight.data -= method.learning_rate * gradient
    return metrics


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


def mix(mixture: Mixture, inputs: Tensor, targets: Tensor) -> None:
    """Choose a mixture's weights for (N, T) inputs and targets, in place.

    Expectation maximisation (Jelinek and Mercer 1980): a member's weight becomes
    the mean share it had in predicting a character, until nothing changes. The
    NLL is convex in the weights, so that this is the best there is.
    """
    seen = targets != IGNORED
    with torch.inference_mode():
        log_probs = mixture.double().eval().member_log_probs(inputs)[:, seen]  # (M, N, V)
        chosen = targets[seen].expand(len(log_probs), -1)[..., None]  # (M, N, 1)
        probs = log_probs.gather(-1, chosen)[..., 0].exp()  # (M, N)
        weights = torch.full((len(probs), 1), 1 / len(probs), dtype=probs.dtype)
        for _ in range(_EM_STEPS):
            joint = weights * probs
            weights = (joint / joint.sum(0)).mean(1, keepdim=True)
    mixture.float()
    mixture.weights.copy_(weights[:, 0])


def initialise(
    recipe: Recipe, vocabulary: Vocabulary, items: Sequence[str], seed: int
) -> LanguageModel:
    """The model of a recipe before its first step; CorpusError if the items do not fit it."""
    longest = max(map(len, items))
    torch.manual_seed(seed)
    model = build_model(recipe.architecture, recipe.model_config(len(vocabulary), longest))
    if vocabulary.ends and longest > (limit := longest_name(model, vocabulary)):
        raise CorpusError(f"a line of {longest} characters; the model holds {limit}")
    return model


def _descend(
    recipe: Recipe, vocabulary: Vocabulary, model: LanguageModel,
    train: Sequence[str], dev: Sequence[str], *, seed: int, run: Run,
) -> Fitted:  # fmt: skip
    method = cast(Descent, recipe.method)
    batches = make_batches(
        recipe, vocabulary, train, dev, block_size=model.config.block_size, seed=seed
    )
    identity = _identity(recipe, vocabulary, train, dev, seed, run)
    trainer = Trainer(
        method, model.to(run.device), batches, seed=seed, ends=vocabulary.ends, run=run,
        place=Place(run.state, identity) if run.state else None,
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
    """All that decides the bits of a run."""
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
        "processes": run.group.size,
        "torch": str(torch.__version__),
    }


def _fit_mixture(
    recipe: Recipe, vocabulary: Vocabulary, train: Sequence[str], dev: Sequence[str], *,
    seed: int, run: Run,
) -> Fitted:  # fmt: skip
    """Fit the members one after the other; if asked to stop, mix those that there are."""
    method = cast(Ensemble, recipe.method)
    fitted: list[Fitted] = []
    for i, member in enumerate(method.members):
        state = run.state and run.state.with_suffix(f".{i}.pt")

        def report(row: dict[str, Any], i: int = i) -> None:
            run.report({"member": i} | row)

        own = replace(run, state=state, report=report)
        fitted.append(fit(member, vocabulary, train, dev, seed=seed + i, run=own))
        if not fitted[-1].finished:
            break
    members = tuple(
        Member(member.architecture, one.model.config)
        for member, one in zip(method.members, fitted, strict=False)
    )
    longest = max(map(len, (*train, *dev)))
    config = replace(recipe.model_config(len(vocabulary), longest), members=members)
    mixture = cast(Mixture, build_model(recipe.architecture, config))
    for slot, one in zip(mixture.members, fitted, strict=True):
        slot.load_state_dict(one.model.state_dict())
    dev_data = encode_lines(dev, vocabulary)
    mix(mixture, *dev_data)
    rows = [{"member": i} | row for i, one in enumerate(fitted) for row in one.metrics]
    step = sum(one.metrics[-1]["step"] if one.metrics else 0 for one in fitted)
    last = {"step": step, "dev_nll": mean_nll(mixture, *dev_data)}
    run.report(last)
    return Fitted(
        mixture.eval(), (*rows, last), step,
        sum(one.seconds for one in fitted), all(one.finished for one in fitted),
    )  # fmt: skip

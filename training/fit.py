"""One training loop for everything.

AdamW with warm-up and a cosine, gradient clipping, an exponential average of
the weights (which is what is evaluated and kept), and early stopping on dev.
Counting models take the short way.

The order of the data is a pure function of (seed, step): every epoch is a fresh
permutation, and a batch never straddles two.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from models.base import LanguageModel
from models.bigram import Bigram
from models.errors import ConfigError
from models.registry import build_model
from models.rows import longest_name
from models.vocabulary import Vocabulary
from training.corpus import IGNORED, CorpusError, encode_lines
from training.evaluate import mean_nll
from training.loss import cross_entropy
from training.recipes import Counting, Descent, Recipe

Report = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Fitted:
    """A trained model, float32 in eval mode on the CPU, and how it came about."""

    model: LanguageModel
    metrics: tuple[dict[str, Any], ...]
    best_step: int
    seconds: float


def fit(
    recipe: Recipe,
    vocabulary: Vocabulary,
    train: Sequence[str],
    dev: Sequence[str],
    *,
    seed: int,
    device: str = "cpu",
    report: Report = lambda row: None,
) -> Fitted:
    """Fit a model on `train`, choosing the step that is best on `dev`.

    Args:
        recipe: complete; see recipes.py.
        vocabulary: holds every character of both parts.
        train, dev: lines in NFC.
        seed: decides initialisation, data order and dropout.
        device: `cpu` or `cuda`.
        report: called with each entry of the metrics as it is made.

    Raises:
        CorpusError: a line is longer than the recipe's block_size allows.
        ConfigError: the recipe does not fit its architecture.
    """
    started = time.monotonic()
    longest = max(map(len, (*train, *dev)))
    torch.manual_seed(seed)
    model = build_model(recipe.architecture, recipe.model_config(len(vocabulary), longest))
    if longest > (limit := longest_name(model)):
        raise CorpusError(f"a line of {longest} characters; the model holds {limit}")
    training_data = encode_lines(train, vocabulary)
    dev_data = encode_lines(dev, vocabulary)
    if isinstance(recipe.method, Counting):
        if not isinstance(model, Bigram):
            raise ConfigError(f"{recipe.architecture} cannot be fitted by counting")
        count(model, *training_data, smoothing=recipe.method.smoothing)
        row = {"step": 0, "dev_nll": mean_nll(model, *dev_data)}
        report(row)
        return Fitted(model.eval(), (row,), 0, time.monotonic() - started)
    metrics, best_step = _descend(
        recipe.method, model.to(device), training_data, dev_data, seed=seed, report=report
    )
    return Fitted(model.cpu().eval(), tuple(metrics), best_step, time.monotonic() - started)


def count(model: Bigram, inputs: Tensor, targets: Tensor, smoothing: float) -> None:
    """Set a bigram model's counts to those of (N, T) inputs and targets, in place."""
    seen = targets != IGNORED
    vocab_size = model.config.vocab_size
    pairs = inputs[seen] * vocab_size + targets[seen]
    counts = torch.bincount(pairs, minlength=vocab_size**2).reshape(vocab_size, vocab_size)
    model.counts.copy_(counts)
    model.smoothing.fill_(smoothing)


def learning_rate(method: Descent, step: int) -> float:
    """At a step from 0: a linear warm-up, then half a cosine to the final rate."""
    if step < method.warmup_steps:
        return method.learning_rate * (step + 1) / method.warmup_steps
    done = (step - method.warmup_steps) / max(1, method.steps - method.warmup_steps)
    span = method.learning_rate - method.final_learning_rate
    return method.final_learning_rate + span * 0.5 * (1 + math.cos(math.pi * done))


def batch_rows(step: int, batch_size: int, size: int, seed: int) -> Tensor:
    """(B,) row numbers of a step's batch; B is smaller at the end of an epoch."""
    steps_per_epoch = math.ceil(size / batch_size)
    epoch, place = divmod(step, steps_per_epoch)
    generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
    order = torch.randperm(size, generator=generator)
    return order[place * batch_size : (place + 1) * batch_size]


def trim(inputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """A batch without the columns that are padding in every row: the same loss for less."""
    width = int((targets != IGNORED).any(0).sum())
    return inputs[:, :width], targets[:, :width]


def _descend(
    method: Descent,
    model: LanguageModel,
    training_data: tuple[Tensor, Tensor],
    dev_data: tuple[Tensor, Tensor],
    *,
    seed: int,
    report: Report,
) -> tuple[list[dict[str, Any]], int]:
    """Train `model` in place; it ends with the averaged weights of its best step."""
    inputs, targets = training_data
    optimizer = _optimizer(model, method)
    keep_average = get_ema_multi_avg_fn(method.ema_decay)  # type: ignore[no-untyped-call]
    average = AveragedModel(model, multi_avg_fn=keep_average, use_buffers=True)
    averaged = cast(LanguageModel, average.module)
    best_nll, best_step, best_weights = math.inf, 0, model.state_dict()
    metrics: list[dict[str, Any]] = []
    recent: list[float] = []
    model.train()
    for step in (bar := tqdm(range(method.steps), unit="step", disable=None)):
        rows = batch_rows(step, method.batch_size, len(inputs), seed)
        batch = trim(inputs[rows], targets[rows])
        loss = _step(model, optimizer, method, step, *(part.to(model.device) for part in batch))
        average.update_parameters(model)
        recent.append(loss)
        if (step + 1) % method.eval_every and step + 1 < method.steps:
            continue
        dev_nll = mean_nll(averaged, *dev_data)
        metrics.append(
            {
                "step": step + 1,
                "learning_rate": learning_rate(method, step),
                "train_loss": sum(recent) / len(recent),
                "dev_nll": dev_nll,
            }
        )
        recent.clear()
        report(metrics[-1])
        bar.set_postfix(dev_nll=f"{dev_nll:.4f}")
        if dev_nll < best_nll:
            best_nll, best_step = dev_nll, step + 1
            best_weights = {k: v.clone() for k, v in averaged.state_dict().items()}
        elif step + 1 - best_step >= method.patience * method.eval_every:
            break
    model.load_state_dict(best_weights)
    return metrics, best_step


def _step(
    model: LanguageModel,
    optimizer: torch.optim.Optimizer,
    method: Descent,
    step: int,
    inputs: Tensor,
    targets: Tensor,
) -> float:
    """One update on a batch of (B, T); returns its loss."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate(method, step)
    loss = cross_entropy(model(inputs), targets)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(model.parameters(), method.grad_clip)
    optimizer.step()
    return loss.item()


def _optimizer(model: LanguageModel, method: Descent) -> torch.optim.Optimizer:
    """AdamW; gains, biases and other vectors are not decayed."""
    matrices = [p for p in model.parameters() if p.dim() >= 2]
    vectors = [p for p in model.parameters() if p.dim() < 2]
    groups: list[dict[str, Any]] = [
        {"params": matrices, "weight_decay": method.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=method.learning_rate, betas=(0.9, 0.99))

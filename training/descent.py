"""The training loop: gradient descent that can stop at any step and go on later.

AdamW with warm-up and a cosine, gradient clipping, an exponential average of
the weights (which is what is evaluated and kept), and early stopping on dev.

A step is a pure function of the weights, the optimiser's state and (seed, step):
the batch and the dropout come from the latter alone. So a run that was killed
and goes on from its last look at the dev part ends with the very same bits.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel
from tqdm import tqdm

from models.base import LanguageModel
from models.errors import NamewrightError
from training.batches import Batches, Part
from training.evaluate import mean_nll
from training.loss import cross_entropy
from training.recipes import Descent
from training.resume import Place, load_newest
from training.run import Run

Schedule = Callable[[Descent, int], float]
_Tensors = tuple[Tensor, ...] | list[Tensor]

_SPACING = 1_000_003
"""Between the dropout seeds of two runs: more than any of them has steps."""


class DivergedError(NamewrightError, ArithmeticError):
    """A loss that is no number any more."""


@dataclass
class Progress:
    """Where a run stands, beside its weights; plain values, saved as they are.

    Attributes:
        step: steps done.
        best_nll, best_step: of the best look at dev so far.
        metrics: one entry a look.
        recent: losses since the last look.
        seconds: spent so far, over all its parts.
    """

    step: int = 0
    best_nll: float = math.inf
    best_step: int = 0
    metrics: list[dict[str, Any]] = field(default_factory=list)
    recent: list[float] = field(default_factory=list)
    seconds: float = 0.0


def learning_rate(method: Descent, step: int) -> float:
    """At a step from 0: a linear warm-up, then half a cosine to the final rate."""
    if step < method.warmup_steps:
        return method.learning_rate * (step + 1) / method.warmup_steps
    done = (step - method.warmup_steps) / max(1, method.steps - method.warmup_steps)
    span = method.learning_rate - method.final_learning_rate
    return method.final_learning_rate + span * 0.5 * (1 + math.cos(math.pi * done))


def make_optimizer(model: LanguageModel, method: Descent) -> torch.optim.Optimizer:
    """AdamW; gains, biases and other vectors are not decayed."""
    matrices = [p for p in model.parameters() if p.dim() >= 2]
    vectors = [p for p in model.parameters() if p.dim() < 2]
    groups: list[dict[str, Any]] = [
        {"params": matrices, "weight_decay": method.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=method.learning_rate, betas=(0.9, 0.99), fused=True)


class Trainer:
    """One run of gradient descent.

    Args:
        method: its settings.
        model: on its device, freshly initialised; it is trained in place.
        batches: what it learns from.
        seed: of the dropout.
        ends: whether the boundary can be predicted; see training/loss.py.
        run: how and where.
        place: for the state of this run; None keeps nothing.
        schedule: the learning rate at a step from 0.

    Raises:
        ResumeError: what was saved belongs to another run or is damaged.
        LostProcessError: another process of the group has gone.
        DivergedError: from `train`, at a look at dev where the NLL is not finite.
    """

    def __init__(
        self,
        method: Descent,
        model: LanguageModel,
        batches: Batches,
        *,
        seed: int,
        ends: bool,
        run: Run,
        place: Place | None = None,
        schedule: Schedule = learning_rate,
    ) -> None:
        self._schedule = schedule
        self._method, self._model, self._batches, self._run = method, model, batches, run
        self._seed, self._ends, self._place = seed, ends, place
        self._optimizer = make_optimizer(model, method)
        self._average = AveragedModel(model, multi_avg_fn=self._blend, use_buffers=True)
        self._best = self._weights()
        self.progress = Progress()
        if place and (saved := load_newest(place, run.group)):
            self._restore(saved)

    def train(self) -> bool:
        """Train to the end, or until asked to stop.

        Returns:
            Whether it came to its end. The model has the averaged weights of its best
            step, of its last one if there was no look at dev yet.
        """
        self._model.train()
        started, before = time.monotonic(), self.progress.seconds
        bar = tqdm(
            total=self._method.steps, initial=self.progress.step, unit="step",
            disable=None if self._run.group.rank == 0 else True,
        )  # fmt: skip
        finished = self._finished
        while not finished and not self._step():
            self.progress.seconds = before + time.monotonic() - started
            bar.update()
            step = self.progress.step
            if step % self._method.eval_every == 0 or step == self._method.steps:
                self._look()
                bar.set_postfix(dev_nll=f"{self.progress.metrics[-1]['dev_nll']:.4f}")
                self._save()
            finished = self._finished
        bar.close()
        if not finished:
            self._save()
        self._model.load_state_dict(self._best if self.progress.metrics else self._weights())
        return finished

    def step(self) -> float | None:
        """One update, without looks at dev; its batch's loss, or None if asked to stop."""
        self._model.train()
        return None if self._step() else self.progress.recent[-1]

    @property
    def _finished(self) -> bool:
        """Whether all steps are done, or dev has not got better for too long."""
        progress, method = self.progress, self._method
        looked = progress.metrics[-1]["step"] if progress.metrics else 0
        waited = looked - progress.best_step
        return progress.step >= method.steps or waited >= method.patience * method.eval_every

    def _step(self) -> bool:
        """One update; True, and no update, if any process was asked to stop."""
        run, step = self._run, self.progress.step
        torch.manual_seed(self._seed * _SPACING + step * run.group.size + run.group.rank)
        parameters = [p for p in self._model.parameters() if p.requires_grad]
        for parameter in parameters:
            parameter.grad = torch.zeros_like(parameter)
        buffers = [buffer.clone() for buffer in self._model.buffers()]
        loss = torch.zeros(3, device=self._model.device)  # summed, of how many, asked to stop
        loss[2] = run.stop()
        for inputs, targets in self._batches.batch(step, run.group.rank, run.group.size):
            loss[:2] += self._backward(inputs, targets)
        grads = [cast(Tensor, parameter.grad) for parameter in parameters]
        run.group.sum_([*grads, loss])
        if loss[2]:
            # As if the batch had not been read: batch normalisation has counted it.
            for buffer, before in zip(self._model.buffers(), buffers, strict=True):
                buffer.copy_(before)
            return True
        for grad in grads:
            grad /= loss[1]
        for group in self._optimizer.param_groups:
            group["lr"] = self._schedule(self._method, step)
        torch.nn.utils.clip_grad_norm_(parameters, self._method.grad_clip)
        self._optimizer.step()
        self._average.update_parameters(self._model)
        self.progress.recent.append(float(loss[0] / loss[1]))
        self.progress.step += 1
        return False

    def _blend(self, averages: _Tensors, weights: _Tensors, count: Tensor | int) -> None:
        """Move the averages on; over fewer steps at first, lest the random start weigh for long."""
        decay = min(self._method.ema_decay, (1 + int(count)) / (10 + int(count)))
        for average, weight in zip(averages, weights, strict=True):
            if average.is_floating_point():
                average.lerp_(weight, 1 - decay)
            else:  # batch normalisation counts its batches
                average.copy_(weight)

    def _backward(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """Add a part's gradients; (2,): its summed loss and how many characters it predicts."""
        device = self._model.device
        inputs, targets = inputs.to(device), targets.to(device)
        with torch.autocast(device.type, torch.bfloat16, enabled=self._run.precision == "bf16"):
            logits = self._model(inputs)
        loss = cross_entropy(logits.float(), targets, "sum", ends=self._ends)
        loss.backward()  # type: ignore[no-untyped-call]
        return torch.stack((loss.detach(), (targets >= 0).sum()))

    def _look(self) -> None:
        """Evaluate on dev, and keep the averaged weights if they are the best so far."""
        progress = self.progress
        dev_nll = self._nll(self._batches.dev)
        if not math.isfinite(dev_nll):
            raise DivergedError(
                f"the NLL is {dev_nll} at step {progress.step}: the weights have run away; "
                "try a lower learning rate (lr-find suggests one)"
            )
        progress.metrics.append(
            {
                "step": progress.step,
                "learning_rate": self._schedule(self._method, progress.step - 1),
                "train_loss": sum(progress.recent) / len(progress.recent),
                "train_nll": self._nll(self._batches.train_sample),
                "dev_nll": dev_nll,
            }
        )
        progress.recent.clear()
        self._run.report(progress.metrics[-1])
        if dev_nll < progress.best_nll:
            progress.best_nll, progress.best_step = dev_nll, progress.step
            self._best = self._weights()

    def _nll(self, part: Part) -> float:
        """Of the averaged weights, nats per character."""
        averaged = cast(LanguageModel, self._average.module)
        nll = mean_nll(averaged, *part, ends=self._ends)
        return self._run.group.from_rank(0, nll)

    def _weights(self) -> dict[str, Tensor]:
        """A copy of the averaged weights."""
        averaged = self._average.module.state_dict()
        return {name: tensor.clone() for name, tensor in averaged.items()}

    def _save(self) -> None:
        if self._place and self._run.group.local_rank == 0:
            self._place.save(
                {
                    "model": self._model.state_dict(),
                    "average": self._average.state_dict(),
                    "optimizer": self._optimizer.state_dict(),
                    "best": self._best,
                    "progress": vars(self.progress),
                }
            )

    def _restore(self, saved: dict[str, Any]) -> None:
        self._model.load_state_dict(saved["model"])
        self._average.load_state_dict(saved["average"])
        self._optimizer.load_state_dict(saved["optimizer"])
        self._best = saved["best"]
        self.progress = Progress(**saved["progress"])

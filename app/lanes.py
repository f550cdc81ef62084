"""A served model in the engine: what draws its names, what scores its words, and for whom."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch

from app.catalog import ServedModel
from app.errors import DeviceLostError
from app.tasks import Outcome, Task
from models.generation import Sampler
from models.request import Job
from models.score import Scoring
from models.scoring import Scorer
from models.tally import Tally

logger = logging.getLogger("uvicorn.error")


@dataclass(frozen=True)
class _Worker:
    """A sampler or a scorer, and the tasks of what is under way in it."""

    does: Any
    doing: str
    tasks: dict[Any, Task] = field(default_factory=dict)

    def forget_abandoned(self) -> None:
        for work in [work for work, task in self.tasks.items() if task.abandoned]:
            del self.tasks[work]
            self.does.remove(work)


class Lane:
    """One model's work; all but its making is the engine's thread's.

    It does not hold the `ServedModel`, so that the engine can let go of a lane once no one else
    holds that.

    Args:
        served: the model.
        tree_bytes: for the distributions that it keeps, >= 0.
        tally: of the model of this id that was served before, to be counted on; None: of none.

    Attributes:
        model_id, device, tree_bytes: as given.
        sampler: others may look at its tree and its tally.
        lost: whether its device has stopped working; there is no way back in this process.
    """

    def __init__(self, served: ServedModel, tree_bytes: int, tally: Tally | None = None) -> None:
        both = served.model, served.checkpoint.vocabulary
        self.model_id = served.id
        self.device = served.device
        self.tree_bytes = tree_bytes
        self.lost = False
        self.sampler = Sampler(*both, tree_bytes, tally)
        self._drawing = _Worker(self.sampler, "drawing")
        self._scoring = _Worker(Scorer(*both, self.sampler.tree), "scoring")

    @property
    def busy(self) -> bool:
        """Whether anything is under way, for someone or no longer for anyone."""
        return bool(self._drawing.tasks or self._scoring.tasks)

    @property
    def patient(self) -> bool:
        """Whether all of that lets others go first."""
        return not self._scoring.tasks and all(
            task.patient for task in self._drawing.tasks.values()
        )

    def add(self, work: Job | Scoring, task: Task) -> None:
        """Begin some work, made for this lane's model."""
        worker = self._drawing if isinstance(work, Job) else self._scoring
        worker.tasks[work] = task
        worker.does.add(work)

    def step(self) -> Iterator[list[Outcome]]:
        """One character in all rows; what has come to its end, names before scores."""
        # Beside something long, everyone else waits for each step.
        how = {"brief": any(task.patient for task in self._drawing.tasks.values())}
        for worker, options in ((self._drawing, how), (self._scoring, {})):
            worker.forget_abandoned()
            if worker.tasks:
                yield self._advance(worker, options)

    def grow(self) -> bool:
        """One step towards a full tree, short; returns whether more are needed."""
        try:
            self.sampler.grow()
        except Exception as error:  # requests will tell what is wrong
            self.failed("its prefix tree was filled", error)
            self.sampler.clear()
            return False
        return not self.sampler.grown

    def failed(self, meanwhile: str, error: Exception) -> Exception:
        """Log an error of the model; returns what its requests are to be told."""
        logger.error("model %s failed while %s", self.model_id, meanwhile, exc_info=error)
        if self.device == "cpu" or device_works(self.device):
            return error
        self.lost = True
        return DeviceLostError(f"the device of {self.model_id}, {self.device}, is lost")

    def _advance(self, worker: _Worker, options: dict[str, bool]) -> list[Outcome]:
        try:
            results = [(work, work.result()) for work in worker.does.step(**options)]
        except Exception as error:  # the thread must live on, whatever a model does
            told = self.failed(worker.doing, error)
            worker.does.clear()  # makes no tensor: a device that is lost could not give one
            failed = list(worker.tasks.values())
            worker.tasks.clear()
            return [Outcome(task, error=told) for task in failed]
        return [Outcome(worker.tasks.pop(work), result) for work, result in results]


def device_works(device: str) -> bool:
    """Whether a device still computes: an error on CUDA that sticks fails every later call."""
    try:
        return bool((torch.ones(1, device=device) + 1).item() == 2)
    except (RuntimeError, AssertionError):  # the latter of a torch without CUDA
        return False

"""How and where to train, which changes no decision of the recipe."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.parallel import Group

Report = Callable[[dict[str, Any]], None]

PRECISIONS = ("float32", "bf16")


def never() -> bool:
    """Never stop; a function of a module can go to another process, where a lambda cannot."""
    return False


def ignore(row: dict[str, Any]) -> None:
    """Report to no one."""
    del row


@dataclass(frozen=True)
class Run:
    """The circumstances of a fit.

    Attributes:
        device: `cpu` or `cuda`.
        precision: `float32`, or `bf16` for matrix products in bfloat16.
        group: the processes that work together.
        state: the file that keeps what a killed run goes on from; None keeps nothing.
        stop: asked before every step; True ends the run there.
        report: called with each entry of the metrics as it is made.
    """

    device: str = "cpu"
    precision: str = "float32"
    group: Group = Group()
    state: Path | None = None
    stop: Callable[[], bool] = never
    report: Report = ignore

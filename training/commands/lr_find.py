"""lr-find: which learning rate a recipe should have."""

import argparse
from pathlib import Path
from typing import Any

from training.commands.options import STOPPED, positive
from training.commands.output import check_suffix, check_target, write_file
from training.commands.short_runs import add_task_options, read_task
from training.lr_find import Sweep, find_rate
from training.plots import draw_lr_find
from training.run import Run
from training.stopping import Stop

_ROWS = 12


def add_parser(commands: Any, data: argparse.ArgumentParser) -> None:
    """Add the verb to the command line."""
    command = commands.add_parser(
        "lr-find", parents=[data], help="suggest a learning rate by trying a range of them"
    )
    add_task_options(command)
    command.add_argument(
        "--steps", type=positive, default=1000, help="of the sweep; 1000 if not given"
    )
    command.add_argument(
        "--from",
        dest="first",
        type=float,
        default=1e-5,
        metavar="RATE",
        help="the rate at its first step; 1e-5 if not given",
    )
    command.add_argument(
        "--to",
        dest="last",
        type=float,
        default=1.0,
        metavar="RATE",
        help="the rate at its last step; 1 if not given",
    )
    command.add_argument("--out", type=Path, metavar="FILE.svg", help="where to draw its curve")
    command.set_defaults(run=_find)


def _find(options: argparse.Namespace) -> int:
    if options.out:
        check_suffix("--out", options.out, ".svg")
        check_target("--out", options.out)
    task = read_task(options)
    with Stop() as stop:
        sweep = find_rate(
            task.recipe,
            task.method,
            task.vocabulary,
            task.split.train,
            task.split.dev,
            seed=options.seed,
            steps=options.steps,
            first=options.first,
            last=options.last,
            run=Run(options.device, options.precision, stop=stop),
        )
    if not sweep.finished:
        print("stopped early: half a sweep suggests nothing")
        return STOPPED
    _print(sweep)
    print(f"suggested: {sweep.suggested:.1e}; the recipe has {task.method.learning_rate:.1e}")
    if options.out:
        write_file(options.out, draw_lr_find(sweep.rates, sweep.smoothed, sweep.suggested))
        print(f"saved {options.out}")
    return 0


def _print(sweep: Sweep) -> None:
    """Some of the curve, and what it says."""
    print("learning rate   loss, smoothed, nats per character")
    last = len(sweep.rates) - 1
    rows = min(_ROWS, last + 1)
    for row in range(rows):
        i = round(row * last / max(1, rows - 1))
        print(f"      {sweep.rates[i]:.1e}   {sweep.smoothed[i]:.4f}")
    lowest = min(range(last + 1), key=lambda i: sweep.smoothed[i])
    print(f"lowest: {sweep.smoothed[lowest]:.4f} at {sweep.rates[lowest]:.1e}")
    if sweep.still_falling:
        print("the loss still falls at the last rate: go on to higher ones with --to")
    if sweep.diverged:
        print(f"the loss diverged above {sweep.rates[-1]:.1e}")

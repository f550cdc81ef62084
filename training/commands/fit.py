"""fit: a recipe and a corpus to a checkpoint."""

import argparse
import errno
import json
import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch.distributed as dist
from tqdm import tqdm

from models.errors import ConfigError
from training.bundle import bundle, state_folder
from training.commands.options import STOPPED, add_run_options, check_device, positive
from training.commands.printing import print_evaluation
from training.corpus import SPLITS
from training.parallel import joined
from training.recipes import RECIPES, Descent, find_recipe
from training.run import Run, ignore
from training.sources import find_corpus

_STOPPED_EARLY = (
    "stopped early: the checkpoint is the best so far; the same command goes on from there"
)

_STOPPED_AT_ONCE = (
    "stopped before the first look at dev: the checkpoint that is there stays; the same command "
    "goes on from there"
)


def add_parser(commands: Any, data: argparse.ArgumentParser) -> None:
    """Add the verb to the command line."""
    command = commands.add_parser("fit", parents=[data], help="fit a recipe, save a checkpoint")
    command.add_argument("--recipe", required=True, help=", ".join(RECIPES))
    command.add_argument(
        "--out",
        required=True,
        type=Path,
        metavar="FOLDER",
        help="the checkpoint, replaced if it is there; its name is the model's id",
    )
    command.add_argument(
        "--split",
        nargs="+",
        choices=SPLITS,
        default=["clean"],
        help="which training parts: each is fitted, the first one's model is kept; clean if "
        "not given",
    )
    command.add_argument(
        "--steps", type=positive, help="gradient steps at most, in place of the recipe's"
    )
    add_run_options(command)
    command.add_argument(
        "--restart", action="store_true", help="forget what an unfinished run has done"
    )
    command.set_defaults(run=_fit)


def _fit(options: argparse.Namespace) -> int:
    check_device(options.device)
    recipe = find_recipe(options.recipe)
    if options.steps:
        if not isinstance(recipe.method, Descent):
            raise ConfigError(f"--steps: {options.recipe} is not fitted by steps of its own")
        recipe = replace(recipe, method=replace(recipe.method, steps=options.steps))
    corpus = find_corpus(recipe.kind, options.data)
    _check_out(options.out)
    if options.restart:
        _forget(state_folder(options.out))
    with joined(options.device) as group:
        bundled = bundle(
            options.recipe,
            recipe,
            corpus,
            options.out,
            splits=list(dict.fromkeys(options.split)),
            seed=options.seed,
            run=Run(
                options.device,
                options.precision,
                group,
                report=_report if group.rank == 0 else ignore,
            ),
        )
        if group.rank == 0:
            print_evaluation(bundled.evaluation)
            if bundled.kept:
                print(_STOPPED_AT_ONCE)
            else:
                print(f"saved {options.out}")
                if not bundled.finished:
                    print(_STOPPED_EARLY)
    return 0 if bundled.finished else STOPPED


def _forget(state: Path) -> None:
    if dist.is_torchelastic_launched():
        raise ConfigError(
            "--restart: torchrun may start the command again, which would forget what it has "
            f"done since; remove {state} on every host instead"
        )
    shutil.rmtree(state, ignore_errors=True)


def _check_out(out: Path) -> None:
    """Raise OSError now, not after the training, where nothing can be written."""
    out.parent.mkdir(parents=True, exist_ok=True)
    if out.exists() and not out.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(out))
    nearest = out if out.exists() else out.parent
    if not os.access(nearest, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(nearest))


def _report(row: dict[str, Any]) -> None:
    tqdm.write(json.dumps(row), file=sys.stderr)

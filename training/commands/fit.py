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

import torch
from tqdm import tqdm

from models.errors import ConfigError
from training.bundle import bundle, state_folder
from training.commands.printing import print_evaluation
from training.corpus import SPLITS, Corpus, read_corpus
from training.descent import PRECISIONS, Run
from training.names import find_names, find_text
from training.parallel import joined
from training.recipes import RECIPES, Descent, Recipe, find_recipe
from training.text import TextCorpus, read_text

STOPPED = 130
"""Exit status of a run that was asked to stop, as shells have it for Ctrl-C."""


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


def add_run_options(command: argparse.ArgumentParser) -> None:
    """Add what every verb that trains takes."""
    command.add_argument(
        "--seed",
        type=_seed,
        default=3407,
        help="of initialisation, data order and dropout, 0 to 4294967295; 3407 if not given",
    )
    command.add_argument(
        "--device",
        choices=["cpu", "cuda"],
        default="cuda" if torch.cuda.is_available() else "cpu",
        help="cuda where there is one, if not given",
    )
    command.add_argument(
        "--precision",
        choices=PRECISIONS,
        default=PRECISIONS[0],
        help="of matrix products in training; weights stay float32",
    )


def check_device(device: str) -> None:
    """Raise ConfigError where there is no such device."""
    if device == "cuda" and not torch.cuda.is_available():
        raise ConfigError("--device cuda: torch finds no CUDA device")


def read_items(recipe: Recipe, path: Path | None) -> Corpus | TextCorpus:
    """The corpus for a recipe: the file given, or the one of its kind that there is."""
    if recipe.kind == "text":
        return read_text(find_text(path))
    return read_corpus(find_names(path))


def _fit(options: argparse.Namespace) -> int:
    check_device(options.device)
    recipe = find_recipe(options.recipe)
    if options.steps:
        if not isinstance(recipe.method, Descent):
            raise ConfigError(f"--steps: {options.recipe} is not fitted by steps of its own")
        recipe = replace(recipe, method=replace(recipe.method, steps=options.steps))
    corpus = read_items(recipe, options.data)
    _check_out(options.out)
    with joined(options.device) as group:
        if options.restart and group.rank == 0:
            shutil.rmtree(state_folder(options.out), ignore_errors=True)
        group.from_first(0.0, torch.device(options.device))  # no one reads it before
        bundled = bundle(
            options.recipe,
            recipe,
            corpus,
            options.out,
            splits=list(dict.fromkeys(options.split)),
            seed=options.seed,
            run=Run(options.device, options.precision, group, report=_report),
        )
        if group.rank == 0:
            print_evaluation(bundled.evaluation)
            print(f"saved {options.out}")
    if bundled.finished:
        return 0
    print("stopped early: the checkpoint is the best so far; the same command goes on from there")
    return STOPPED


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


def _seed(text: str) -> int:
    seed = int(text)
    if not 0 <= seed < 2**32:
        raise argparse.ArgumentTypeError("allowed: 0 to 4294967295")
    return seed


def positive(text: str) -> int:
    """A whole number of at least 1."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("allowed: 1 and more")
    return number

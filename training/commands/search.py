"""search: better hyperparameters for a recipe."""

import argparse
import sys
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState
from tqdm import tqdm

from models.errors import ConfigError
from training.commands.options import STOPPED, positive
from training.commands.output import check_target
from training.commands.short_runs import add_task_options, read_task
from training.recipes import Recipe
from training.run import Run
from training.search import (
    PARAMETERS,
    Search,
    best_trial,
    done_trials,
    open_study,
    propose,
    run_trials,
)
from training.stopping import Stop


def add_parser(commands: Any, data: argparse.ArgumentParser) -> None:
    """Add the verb to the command line."""
    command = commands.add_parser(
        "search", parents=[data], help="try other hyperparameters for a recipe in short runs"
    )
    add_task_options(command)
    command.add_argument(
        "--trials",
        type=positive,
        default=30,
        help="how many in all, those of an earlier search in the storage included; 30 if not given",
    )
    command.add_argument(
        "--steps", type=positive, default=1000, help="of each trial; 1000 if not given"
    )
    command.add_argument("--max-parameters", type=positive, help="trials with more are passed over")
    command.add_argument(
        "--storage",
        type=Path,
        metavar="FILE",
        help="SQLite, made if it is not there: the same command goes on from it",
    )
    command.set_defaults(run=_search)


def _search(options: argparse.Namespace) -> int:
    if options.storage:
        check_target("--storage", options.storage)
    task = read_task(options)
    search = Search(
        recipe=task.recipe,
        steps=options.steps,
        vocabulary=task.vocabulary,
        train=task.split.train,
        dev=task.split.dev,
        seed=options.seed,
        max_parameters=options.max_parameters,
    )
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = open_study(search, options.storage)
    with Stop() as stop:
        run = Run(options.device, options.precision, stop=stop)
        tell = partial(_tell, task.recipe)
        finished = run_trials(search, study, options.trials, run=run, tell=tell)
    print("trials, the best first")
    for trial in done_trials(study):
        print(_row(task.recipe, trial))
    if not finished:
        print(
            "stopped early" + ("; the same command goes on from there" if options.storage else "")
        )
    best = best_trial(study)
    if best is None and finished:
        raise ConfigError("no trial came to its end; allow more --trials or --max-parameters")
    if best is not None:
        print(f"best: {_values(task.recipe, best)}")
    return 0 if finished else STOPPED


def _tell(recipe: Recipe, trial: FrozenTrial) -> None:
    tqdm.write(_row(recipe, trial), file=sys.stderr)


def _row(recipe: Recipe, trial: FrozenTrial) -> str:
    """A trial in a line."""
    if trial.state == TrialState.COMPLETE:
        outcome = f"dev NLL {trial.value:.4f}"
    elif trial.intermediate_values:
        outcome = f"given up at step {max(trial.intermediate_values)}"
    else:
        outcome = "not run" if trial.state == TrialState.PRUNED else "stopped"
    parameters = trial.user_attrs.get(PARAMETERS, 0)
    return (
        f"  {trial.number:>3}  {outcome:<23} {parameters:>10,} parameters  {_values(recipe, trial)}"
    )


def _values(recipe: Recipe, trial: FrozenTrial) -> str:
    """What the trial would change in the recipe, in the words of recipes.py."""
    before, after = ({**asdict(one), **one.settings()} for one in (recipe, propose(recipe, trial)))
    shown = ("learning_rate", "final_learning_rate", "n_layer", "n_embd", "n_embd2", "dropout")
    changed = (name for name in shown if after[name] != before[name])
    told = (f"{name}={after[name]:.3g}" for name in changed)
    return " ".join(told) or "the recipe as it is"

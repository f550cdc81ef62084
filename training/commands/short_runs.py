"""What the verbs share that train for a while and keep no checkpoint: lr-find and search."""

import argparse
from dataclasses import dataclass

import torch

from models.errors import ConfigError
from models.vocabulary import Vocabulary
from training.commands.options import add_run_options, check_device
from training.corpus import SPLITS, Split
from training.recipes import RECIPES, Descent, Recipe, find_recipe
from training.sources import find_corpus


@dataclass(frozen=True)
class Task:
    """What to train, on what.

    Attributes:
        recipe: one of Descent.
        method: its method.
        vocabulary: of the whole corpus.
        split: its train and dev are what is looked at.
    """

    recipe: Recipe
    method: Descent
    vocabulary: Vocabulary
    split: Split


def add_task_options(command: argparse.ArgumentParser) -> None:
    """Add the recipe, the split and what every verb that trains takes."""
    command.add_argument("--recipe", required=True, help=", ".join(_names_of_descent()))
    command.add_argument(
        "--split", choices=SPLITS, default="clean", help="which training part; clean if not given"
    )
    add_run_options(command)


def read_task(options: argparse.Namespace) -> Task:
    """The task that the options name, ready to run on one thread.

    Raises:
        ConfigError: there is no such recipe, or it is not one of Descent.
        CorpusError: the corpus cannot be read.
    """
    check_device(options.device)
    recipe = find_recipe(options.recipe)
    if not isinstance(recipe.method, Descent):
        raise ConfigError(
            f"--recipe: {options.recipe} is not fitted by gradient descent on batches; "
            f"those that are: {', '.join(_names_of_descent())}"
        )
    # More threads lose more to waiting for one another than they win at these sizes.
    torch.set_num_threads(1)
    corpus = find_corpus(recipe.kind, options.data)
    (split,) = corpus.split([options.split])
    return Task(recipe, recipe.method, corpus.vocabulary, split)


def _names_of_descent() -> list[str]:
    return [name for name, make in RECIPES.items() if isinstance(make().method, Descent)]

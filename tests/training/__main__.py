"""python -m tests.training: the command line of training, with recipes that take seconds."""

import os
import sys
from dataclasses import replace
from datetime import timedelta

from tests.training.conftest import TINY
from training import parallel
from training.__main__ import main
from training.recipes import RECIPES, Descent, Recipe


def _longer(recipe: Recipe) -> Recipe:
    """Long enough to be stopped in its midst, with many looks at dev."""
    if not isinstance(recipe.method, Descent):
        return recipe
    method = replace(recipe.method, steps=600, warmup_steps=50, eval_every=25, patience=1000)
    return replace(recipe, method=method)


if __name__ == "__main__":
    if seconds := os.environ.get("PEER_TIMEOUT_S"):
        parallel.TIMEOUT = timedelta(seconds=int(seconds))
    longer = {name: _longer(recipe) for name, recipe in TINY.items()}
    RECIPES.update({name: lambda recipe=recipe: recipe for name, recipe in longer.items()})
    sys.exit(main())

"""Hyperparameter search: short runs of a recipe with other values, the best dev NLL wins.

The first run has the recipe's own values. Then learning rate, dropout and sizes are
proposed by optuna's tree-structured Parzen estimator; a run that is worse than the
median of those before it at the same step is given up. Each proposal is a pure
function of the seed and the trials before it, so that a search that was stopped goes
on as if it had not been.

Source: Bergstra et al. 2011, https://papers.nips.cc/paper/4443-algorithms-for-hyper-parameter-optimization,
as in optuna (Akiba et al. 2019), https://arxiv.org/abs/1907.10902.
"""

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from models.errors import ConfigError
from models.registry import ARCHITECTURES, build_model
from models.vocabulary import Vocabulary
from training.fit import fit
from training.recipes import Descent, Recipe
from training.run import Run

PARAMETERS = "parameters"
"""User attribute of a trial: how many its model has."""
_LOOKS = 8
"""At dev in a short run, at least; the median is taken at each of them."""
_DONE = (TrialState.COMPLETE, TrialState.PRUNED)


class _StoppedError(Exception):
    """A trial was asked to stop: it says nothing about its values."""


@dataclass(frozen=True)
class Search:
    """What is searched for, on what; all that decides the trials.

    Attributes:
        recipe: where the search begins; see `propose`.
        steps: of each trial, with the schedule of a whole run, at least 1.
        vocabulary, train, dev: as in `fit`.
        seed: of the proposals, and of every trial's run.
        max_parameters: a trial with more is not run; None allows any number.
    """

    recipe: Recipe
    steps: int
    vocabulary: Vocabulary
    train: Sequence[str]
    dev: Sequence[str]
    seed: int
    max_parameters: int | None = None

    @property
    def id(self) -> str:
        """Of the study in a storage: another search has another one."""
        values = (asdict(self.recipe), self.steps, self.seed, self.max_parameters)
        data = "\0".join((*self.train, "", *self.dev))
        return hashlib.sha256(f"{values}\0{data}".encode()).hexdigest()[:16]


def open_study(search: Search, storage: Path | None) -> optuna.Study:
    """The study of a search, with the trials that it has already.

    Args:
        search: what is searched for.
        storage: an SQLite file, made if need be, for one process at a time; None keeps
            the trials in memory.

    Raises:
        ConfigError: the file cannot be used.
    """
    # 5 trials and a quarter of a run say too little to judge others by.
    pruner = optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=search.steps // 4)
    try:
        study = optuna.create_study(
            storage=f"sqlite:///{storage.resolve()}" if storage else None,
            study_name=search.id, load_if_exists=True, direction="minimize", pruner=pruner,
        )  # fmt: skip
        for killed in study.get_trials(states=(TrialState.RUNNING,)):
            study.tell(killed.number, state=TrialState.FAIL)  # else its values would count
        return study
    except (SQLAlchemyError, optuna.exceptions.OptunaError) as error:
        first_line = str(error).partition("\n")[0]
        raise ConfigError(f"{storage}: cannot keep trials: {first_line}") from error


def run_trials(
    search: Search,
    study: optuna.Study,
    trials: int,
    *,
    run: Run = Run(),
    tell: Callable[[FrozenTrial], None] | None = None,
) -> bool:
    """Run trials until the study has `trials` of them, those from before included.

    Args:
        search: what is searched for.
        study: its study.
        trials: at least 1.
        run: how and where; `stop` ends the search, the trial under way is forgotten.
        tell: called with each trial as it ends.

    Returns:
        Whether it came to its end.

    Raises:
        CorpusError: a line or the text does not fit the recipe.
    """
    if not study.get_trials(states=(TrialState.WAITING, *_DONE)):
        study.enqueue_trial(_own_values(search.recipe))
    while (done := len(done_trials(study))) < trials:
        study.sampler = optuna.samplers.TPESampler(seed=(search.seed * 1_000_003 + done) % 2**32)
        study.optimize(
            lambda trial: _objective(search, trial, run),
            n_trials=1,
            catch=(_StoppedError,),
            callbacks=[lambda _, trial: tell(trial)] if tell else None,
        )
        if run.stop():
            return False
    return True


def done_trials(study: optuna.Study) -> list[FrozenTrial]:
    """The trials that say something about their values, the best first."""
    trials = study.get_trials(deepcopy=False, states=_DONE)
    return sorted(trials, key=lambda trial: (trial.state != TrialState.COMPLETE, _value(trial)))


def best_trial(study: optuna.Study) -> FrozenTrial | None:
    """The trial of the lowest dev NLL; None if none came to its end."""
    first = done_trials(study)[:1]
    return first[0] if first and first[0].state == TrialState.COMPLETE else None


def propose(recipe: Recipe, trial: optuna.trial.BaseTrial) -> Recipe:
    """The recipe with a trial's values.

    The learning rate within a factor of 5, the final one along with it; widths from half
    to twice the recipe's, n_embd a multiple of n_head; n_layer from 1 to one more than the
    recipe's; dropout from 0 to 0.5: of those that the architecture has.
    """
    method = recipe.method
    if not isinstance(method, Descent):
        raise ConfigError(f"{recipe.architecture} is not fitted by Descent; nothing to search")
    has = set(ARCHITECTURES[recipe.architecture].hyperparameters)
    base = method.learning_rate
    rate = trial.suggest_float("learning_rate", base / 5, base * 5, log=True)
    final = rate * method.final_learning_rate / base
    values: dict[str, Any] = {}
    for name in ("n_embd", "n_embd2"):
        if name in has:
            multiple = recipe.n_head if name == "n_embd" and "n_head" in has else 1
            low = multiple * max(1, getattr(recipe, name) // (2 * multiple))
            high = 2 * getattr(recipe, name) // multiple * multiple
            values[name] = trial.suggest_int(name, low, high, step=multiple)
    if "n_layer" in has:
        values["n_layer"] = trial.suggest_int("n_layer", 1, recipe.n_layer + 1)
    if "dropout" in has:
        values["dropout"] = trial.suggest_float("dropout", 0.0, 0.5, step=0.05)
    method = replace(method, learning_rate=rate, final_learning_rate=final)
    return replace(recipe, method=method, **values)


def _own_values(recipe: Recipe) -> dict[str, Any]:
    """The values with which `propose` gives the recipe itself."""
    names = {"n_embd", "n_embd2", "n_layer", "dropout"}
    names &= set(ARCHITECTURES[recipe.architecture].hyperparameters)
    rate = recipe.settings()["learning_rate"]
    return {"learning_rate": rate} | {name: getattr(recipe, name) for name in sorted(names)}


def _objective(search: Search, trial: optuna.Trial, run: Run) -> float:
    recipe = _shorten(propose(search.recipe, trial), search.steps)
    parameters = _parameter_count(search, recipe)
    trial.set_user_attr(PARAMETERS, parameters)
    if search.max_parameters is not None and parameters > search.max_parameters:
        raise optuna.TrialPruned

    def report(row: dict[str, Any]) -> None:
        trial.report(row["dev_nll"], row["step"])
        if trial.should_prune():
            raise optuna.TrialPruned

    own = replace(run, report=report)
    fitted = fit(recipe, search.vocabulary, search.train, search.dev, seed=search.seed, run=own)
    if not fitted.finished:
        raise _StoppedError
    found: list[float] = [row["dev_nll"] for row in fitted.metrics if math.isfinite(row["dev_nll"])]
    if not found:
        raise optuna.TrialPruned
    return min(found)


def _shorten(recipe: Recipe, steps: int) -> Recipe:
    """The recipe with a run of `steps`: a warm-up of a fifth of it at most, looks often enough."""
    if not isinstance(recipe.method, Descent):
        raise TypeError("only runs of Descent can be short")
    method = replace(
        recipe.method,
        steps=steps,
        warmup_steps=min(recipe.method.warmup_steps, steps // 5),
        eval_every=min(recipe.method.eval_every, max(1, steps // _LOOKS)),
    )
    return replace(recipe, method=method)


def _parameter_count(search: Search, recipe: Recipe) -> int:
    longest = max(map(len, (*search.train, *search.dev)))
    config = recipe.model_config(len(search.vocabulary), longest)
    return build_model(recipe.architecture, config).parameter_count


def _value(trial: FrozenTrial) -> float:
    return math.inf if trial.value is None or math.isnan(trial.value) else trial.value

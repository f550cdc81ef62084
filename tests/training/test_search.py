import re
import signal
import subprocess
import sys
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
from optuna.trial import FixedTrial, TrialState

from models.errors import ConfigError
from models.registry import build_model
from models.vocabulary import Vocabulary
from training.__main__ import main
from training.recipes import RECIPES, Counting, Descent, Recipe
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

NAMES = [a + b + c for a in "kmt" for b in "aei" for c in ("", "n", "ra", "lia")]
VOCABULARY = Vocabulary.of(NAMES)
TINY = Recipe("bow", Descent(steps=500, batch_size=8, parts=1), n_embd=8, n_embd2=8)
SEARCH = Search(TINY, 16, VOCABULARY, NAMES[:30], NAMES[30:], seed=1)


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    path = tmp_path / "names.txt"
    path.write_text("\n".join(NAMES), encoding="utf-8")
    return path


def run_all(search: Search, trials: int, run: Run = Run()) -> list[tuple[object, ...]]:
    """Values, outcomes and NLLs of all trials of a search in memory."""
    study = open_study(search, None)
    assert run_trials(search, study, trials, run=run)
    return outcomes(study.trials)


def outcomes(trials: list) -> list[tuple[object, ...]]:  # type: ignore[type-arg]
    return [
        (trial.params, trial.state, trial.value) for trial in trials if trial.state.is_finished()
    ]


def test_the_best_trial_is_the_one_of_the_lowest_dev_nll_and_the_recipe_is_tried_first() -> None:
    study = open_study(SEARCH, None)
    assert run_trials(SEARCH, study, 6)
    assert propose(TINY, study.trials[0]) == TINY
    complete = [trial for trial in study.trials if trial.state == TrialState.COMPLETE]
    best = best_trial(study)
    assert best is not None
    assert best.value == min(trial.value for trial in complete)
    assert done_trials(study)[0].number == best.number
    assert len(done_trials(study)) == 6


def test_the_same_seed_gives_the_same_trials_and_another_seed_others() -> None:
    first, again, other = (run_all(replace(SEARCH, seed=seed), 4) for seed in (1, 1, 2))
    assert first == again
    assert first[1:] != other[1:]


def test_a_search_that_was_stopped_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    storage = tmp_path / "trials.db"
    asked = count()
    stopped = run_trials(
        SEARCH, open_study(SEARCH, storage), 12, run=Run(stop=lambda: next(asked) >= 40)
    )
    assert not stopped
    assert 0 < len(done_trials(open_study(SEARCH, storage))) < 12
    study = open_study(SEARCH, storage)
    assert run_trials(SEARCH, study, 12)
    kept = [trial for trial in study.trials if trial.state != TrialState.FAIL]
    assert outcomes(kept) == run_all(SEARCH, 12)


def test_a_trial_of_a_killed_search_is_forgotten(tmp_path: Path) -> None:
    storage = tmp_path / "trials.db"
    open_study(SEARCH, storage).ask()
    assert [t.state for t in open_study(SEARCH, storage).trials] == [TrialState.FAIL]


def test_searches_that_differ_share_a_storage_and_nothing_else(tmp_path: Path) -> None:
    storage = tmp_path / "trials.db"
    run_trials(SEARCH, open_study(SEARCH, storage), 2)
    for other in (
        replace(SEARCH, steps=17),
        replace(SEARCH, seed=2),
        replace(SEARCH, train=NAMES[:29]),
        replace(SEARCH, recipe=replace(TINY, n_embd=9)),
        replace(SEARCH, max_parameters=10**6),
    ):
        assert done_trials(open_study(other, storage)) == []
    assert len(done_trials(open_study(SEARCH, storage))) == 2


def test_trials_of_too_many_parameters_are_not_run() -> None:
    own = 2 * 8 * 8 + 8 * len(VOCABULARY)  # less than TINY has
    study = open_study(replace(SEARCH, max_parameters=own), None)
    assert run_trials(replace(SEARCH, max_parameters=own), study, 3)
    for trial in study.trials:
        too_many = trial.user_attrs[PARAMETERS] > own
        assert too_many == (trial.state == TrialState.PRUNED and not trial.intermediate_values)
    assert study.trials[0].state == TrialState.PRUNED


def test_a_trial_that_is_worse_than_the_median_is_given_up() -> None:
    search = replace(SEARCH, steps=40)
    study = open_study(search, None)
    assert run_trials(search, study, 14)
    pruned = [trial for trial in study.trials if trial.state == TrialState.PRUNED]
    assert pruned
    for trial in pruned:
        assert 10 <= max(trial.intermediate_values) < 40  # not before a quarter of its run


@pytest.mark.parametrize("name", [n for n in RECIPES if isinstance(RECIPES[n]().method, Descent)])
def test_every_recipe_of_descent_proposes_models_that_exist(name: str) -> None:
    recipe = RECIPES[name]()
    for trial in (_Lowest(recipe.settings()), _Highest(recipe.settings())):
        proposed = propose(recipe, trial)
        model = build_model(proposed.architecture, proposed.model_config(27, longest=15))
        assert model.parameter_count > 0
        rates = proposed.settings()
        ratio = rates["final_learning_rate"] / rates["learning_rate"]
        own = recipe.settings()
        assert ratio == pytest.approx(own["final_learning_rate"] / own["learning_rate"])


def test_a_recipe_without_descent_has_nothing_to_search() -> None:
    with pytest.raises(ConfigError, match="not fitted by Descent"):
        propose(Recipe("bigram", Counting()), FixedTrial({}))


def test_the_verb_prints_the_trials_and_the_best_ones_values(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["search", "--recipe", "bow", "--data", str(corpus), "--steps", "10"]
    storage = ["--storage", str(tmp_path / "trials.db")]
    assert main([*arguments, *storage, "--trials", "2"]) == 0
    assert main([*arguments, *storage, "--trials", "3"]) == 0
    captured = capsys.readouterr()
    assert captured.err.count("parameters") == 3  # two, then the one that was missing
    printed = captured.out.split("trials, the best first\n")[-1]
    assert printed.count("parameters") == 3
    assert "the recipe as it is" in printed
    nlls = [float(nll) for nll in re.findall(r"dev NLL (\d\.\d+)", printed)]
    assert nlls == sorted(nlls)
    assert printed.splitlines()[-1].startswith("best: ")
    assert main([*arguments, "--trials", "3"]) == 0
    assert capsys.readouterr().out == "trials, the best first\n" + printed


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_ends_a_search_with_the_best_so_far(corpus: Path, tmp_path: Path) -> None:
    arguments = ["--recipe", "bow", "--data", corpus, "--steps", 10, "--trials", 100000]
    words = [sys.executable, "-m", "training", "search", *map(str, arguments)]
    storage = ["--storage", str(tmp_path / "trials.db")]
    with subprocess.Popen(
        [*words, *storage], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as search:
        assert search.stderr is not None
        first = search.stderr.readline()
        search.send_signal(signal.SIGINT)
        try:
            printed, complaints = search.communicate(timeout=120)
        finally:
            search.kill()  # whatever went wrong, it does not go on for ever
    assert "the recipe as it is" in first
    assert search.returncode == 130
    assert "stopped early; the same command goes on from there" in printed
    assert printed.splitlines()[-1].startswith("best: ")
    assert "Traceback" not in complaints


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--recipe", "neural-bigram"], "neural-bigram is not fitted by gradient descent"),
        (["--recipe", "markov"], "unknown recipe 'markov'"),
        (["--recipe", "bow", "--data", "nowhere.txt"], "nowhere.txt: cannot be read"),
        (["--recipe", "bow", "--storage", "nowhere/x.db"], "there is no folder nowhere"),
        (["--recipe", "bow", "--max-parameters", "5", "--trials", "2"], "no trial came to its end"),
    ],
)
def test_a_mistake_is_said_in_a_line(
    arguments: list[str], said: str, corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["search", "--data", str(corpus), *arguments]) == 1
    assert said in capsys.readouterr().err


def test_a_file_that_is_no_storage_is_named_and_kept(
    corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = corpus.read_bytes()
    arguments = ["search", "--recipe", "bow", "--data", str(corpus), "--storage", str(corpus)]
    assert main(arguments) == 1
    assert "cannot keep trials" in capsys.readouterr().err
    assert corpus.read_bytes() == before


class _Lowest(FixedTrial):
    """Takes the least of every range."""

    def suggest_float(self, name: str, low: float, high: float, **_: object) -> float:  # type: ignore[override]
        del name, high
        return low

    def suggest_int(self, name: str, low: int, high: int, **_: object) -> int:  # type: ignore[override]
        del name, high
        return low


class _Highest(FixedTrial):
    """Takes the most of every range."""

    def suggest_float(self, name: str, low: float, high: float, **_: object) -> float:  # type: ignore[override]
        del name, low
        return high

    def suggest_int(self, name: str, low: int, high: int, **_: object) -> int:  # type: ignore[override]
        del name, low
        return high

"""A mixture is fitted member by member, then weighed."""

from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
import torch

from models.checkpoint import Checkpoint
from models.mixture import Mixture
from tests.training.conftest import NAMES, TINY, VOCABULARY, assert_same_weights
from training.corpus import encode_lines
from training.evaluate import mean_nll
from training.fit import Fitted, fit
from training.mixing import mix
from training.plots import draw_plots
from training.recipes import Discounting, Ensemble, Recipe
from training.run import Run

RECIPE = TINY["mixture"]
TRAIN, DEV = NAMES[:26], NAMES[26:]


def fit_mixture(recipe: Recipe = RECIPE, run: Run = Run()) -> Fitted:
    return fit(recipe, VOCABULARY, TRAIN, DEV, seed=3, run=run)


def mixture_of(fitted: Fitted) -> Mixture:
    return cast(Mixture, fitted.model)


def test_its_members_are_what_they_are_alone() -> None:
    mixture = mixture_of(fit_mixture())
    members = cast(Ensemble, RECIPE.method).members
    for i, (member, recipe) in enumerate(zip(mixture.members, members, strict=True)):
        alone = fit(recipe, VOCABULARY, TRAIN, DEV, seed=3 + i)
        assert_same_weights(member, alone.model)


def test_its_logits_are_the_log_of_the_weighted_mean_of_its_members_probabilities() -> None:
    mixture = mixture_of(fit_mixture()).double().eval()
    inputs, _ = encode_lines(NAMES, VOCABULARY)
    with torch.no_grad():
        members = torch.stack([member(inputs).softmax(-1) for member in mixture.members])
        mean = (mixture.weights[:, None, None, None] * members).sum(0)
        torch.testing.assert_close(mixture(inputs).exp(), mean, rtol=0, atol=1e-12)
        torch.testing.assert_close(mean.sum(-1), torch.ones(inputs.shape).double())


def test_its_weights_are_the_best_there_are_for_dev() -> None:
    fitted = fit_mixture()
    mixture = mixture_of(fitted)
    data = encode_lines(DEV, VOCABULARY)
    weights = mixture.weights.double()
    assert float(weights.sum()) == pytest.approx(1.0, abs=1e-6)
    assert weights.min() >= 0
    best = mean_nll(mixture.double(), *data)
    assert best == pytest.approx(fitted.metrics[-1]["dev_nll"], abs=1e-6)
    for share in torch.linspace(0, 1, 41).tolist():
        mixture.weights.copy_(torch.tensor([share, 1 - share]))
        assert mean_nll(mixture, *data) >= best - 1e-5


def test_a_member_that_never_helps_gets_no_weight() -> None:
    mixture = mixture_of(fit_mixture())
    with torch.no_grad():
        for parameter in mixture.members[1].parameters():
            parameter.copy_(3 * torch.randn(parameter.shape, generator=torch.Generator()))
    mix(mixture, *encode_lines(DEV, VOCABULARY))
    assert mixture.weights[0] > 0.9
    assert mixture.weights.dtype == torch.float32


@pytest.mark.parametrize("steps", [3, 11, 17])  # in the first member, at its end, in the second
def test_stopped_in_a_member_it_goes_on_to_the_same_bits(steps: int, tmp_path: Path) -> None:
    whole = fit_mixture()
    left = iter(range(steps))
    stopped = fit_mixture(
        run=Run(state=tmp_path / "clean.pt", stop=lambda: next(left, None) is None)
    )
    assert not stopped.finished
    assert len(mixture_of(stopped).members) == (1 if steps < 12 else 2)
    resumed = fit_mixture(run=Run(state=tmp_path / "clean.pt"))
    assert resumed.finished
    assert resumed.metrics == whole.metrics
    assert_same_weights(resumed.model, whole.model)


def test_its_curve_tells_the_members_apart() -> None:
    rows: list[dict[str, object]] = []
    fitted = fit_mixture(run=Run(report=rows.append))
    assert tuple(rows) == fitted.metrics
    assert [row.get("member") for row in rows] == [0, 0, 0, 1, 1, 1, None]
    assert rows[-1]["step"] == fitted.best_step == 24


def test_a_mixture_of_one_is_that_one() -> None:
    member = TINY["gru"]
    mixture = mixture_of(fit_mixture(replace(RECIPE, method=Ensemble((member,)))))
    alone = fit(member, VOCABULARY, TRAIN, DEV, seed=3).model
    inputs, _ = encode_lines(NAMES, VOCABULARY)
    torch.testing.assert_close(mixture(inputs), alone(inputs).log_softmax(-1))
    assert mixture.weights.tolist() == [1.0]


def test_a_counted_member_is_weighed_as_the_others() -> None:
    gru, transformer = cast(Ensemble, RECIPE.method).members
    counted = Recipe("ngram", Discounting(0.25), block_size=2)
    recipe = replace(RECIPE, method=Ensemble((gru, counted, transformer)))
    fitted = fit_mixture(recipe)
    assert [row.get("member") for row in fitted.metrics] == [0, 0, 0, 1, 2, 2, 2, None]
    assert all(weight > 0 for weight in mixture_of(fitted).weights.tolist())
    assert_same_weights(
        mixture_of(fitted).members[1], fit(counted, VOCABULARY, TRAIN, DEV, seed=0).model
    )
    checkpoint = Checkpoint("mixture", fitted.model, VOCABULARY, metrics=fitted.metrics)
    curves = draw_plots(checkpoint, NAMES)["loss"].decode()
    assert "1 gru" in curves
    assert "3 transformer" in curves
    assert "ngram" not in curves  # it has no steps

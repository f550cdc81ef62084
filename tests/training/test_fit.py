from dataclasses import replace

import pytest
import torch

from models.errors import ConfigError
from models.registry import ARCHITECTURES, build_model
from tests.training.conftest import NAMES, VOCABULARY
from training.corpus import CorpusError, encode_lines
from training.descent import DivergedError, learning_rate
from training.evaluate import evaluate, mean_nll
from training.fit import fit
from training.loss import cross_entropy
from training.recipes import RECIPES, Counting, Descent, Recipe, find_recipe
from training.run import Run

TINY = Recipe(
    "transformer",
    Descent(steps=60, batch_size=8, warmup_steps=5, eval_every=20, ema_decay=0.8),
    n_layer=1,
    n_head=2,
    n_embd=16,
    dropout=0.1,
)


def test_fitting_lowers_the_dev_nll_and_keeps_the_best_step() -> None:
    fitted = fit(TINY, VOCABULARY, NAMES, NAMES, seed=1)
    curve = [row["dev_nll"] for row in fitted.metrics]
    assert [row["step"] for row in fitted.metrics] == [20, 40, 60]
    assert min(curve) == pytest.approx(
        mean_nll(fitted.model, *encode_lines(NAMES, VOCABULARY)), abs=1e-12
    )
    assert curve[-1] < curve[0] < torch.tensor(float(len(VOCABULARY))).log()


def test_the_same_seed_gives_the_same_weights_and_another_seed_others() -> None:
    short = replace(TINY, method=Descent(steps=6, batch_size=8, eval_every=3))
    first, again, other = (
        fit(short, VOCABULARY, NAMES, NAMES, seed=seed).model.state_dict() for seed in (1, 1, 2)
    )
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)


def test_training_stops_early_when_dev_gets_no_better() -> None:
    stuck = Descent(steps=100, learning_rate=0.0, final_learning_rate=0.0, eval_every=5, patience=3)
    fitted = fit(replace(TINY, method=stuck), VOCABULARY, NAMES, NAMES, seed=1)
    assert (fitted.best_step, fitted.metrics[-1]["step"]) == (5, 20)


def test_a_line_longer_than_the_models_context_is_refused() -> None:
    with pytest.raises(CorpusError, match="a line of 5 characters; the model holds 3"):
        fit(replace(TINY, block_size=4), VOCABULARY, NAMES, NAMES, seed=1)


def test_a_line_longer_than_any_name_is_refused_before_it_is_fitted() -> None:
    recipe = Recipe("bigram", Counting(), block_size=1)
    with pytest.raises(CorpusError, match="a line of 65 characters; the model holds 64"):
        fit(recipe, VOCABULARY, [*NAMES, "a" * 65], NAMES, seed=1)


def test_a_model_that_cannot_count_is_not_fitted_by_counting() -> None:
    with pytest.raises(ConfigError, match="transformer cannot be fitted by Counting"):
        fit(replace(TINY, method=Counting()), VOCABULARY, NAMES, NAMES, seed=1)


def test_counting_gives_the_optimum_of_a_bigram_model() -> None:
    recipe = Recipe("bigram", Counting(smoothing=0.0), block_size=1)
    model = fit(recipe, VOCABULARY, NAMES, NAMES, seed=1).model.double()
    inputs, targets = encode_lines(NAMES, VOCABULARY)
    best = mean_nll(model, inputs, targets)
    logits = torch.log(model.counts.double() + 1e-12).requires_grad_()
    loss = cross_entropy(logits[inputs], targets)
    assert loss.item() == pytest.approx(best, abs=1e-9)
    loss.backward()
    assert logits.grad is not None
    assert logits.grad.abs().max() < 1e-9  # no logits are better


def test_learning_rate_rises_then_falls_to_its_final_value() -> None:
    method = Descent(steps=100, learning_rate=1.0, final_learning_rate=0.1, warmup_steps=10)
    rates = [learning_rate(method, step) for step in range(101)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[10] == pytest.approx(1.0)
    assert rates[100] == pytest.approx(0.1)
    assert all(a >= b for a, b in zip(rates[10:], rates[11:], strict=False))


def test_evaluation_counts_every_character_once_whatever_the_batch() -> None:
    model = fit(TINY, VOCABULARY, NAMES, NAMES, seed=1).model.double()
    figures = evaluate(model, VOCABULARY, {"one": NAMES[:1], "two": NAMES[1:], "all": NAMES})
    ones, twos = len(NAMES[0]) + 1, sum(len(name) + 1 for name in NAMES[1:])
    mean = (ones * figures["one"] + twos * figures["two"]) / (ones + twos)
    assert figures["all"] == pytest.approx(mean, abs=1e-12)


def test_evaluation_leaves_a_model_in_the_mode_it_was_in() -> None:
    model = fit(TINY, VOCABULARY, NAMES, NAMES, seed=1).model.train()
    mean_nll(model, *encode_lines(NAMES, VOCABULARY))
    assert model.training


def test_weights_are_averaged_over_fewer_steps_at_first() -> None:
    def first_dev_nll(ema_decay: float) -> float:
        method = Descent(steps=30, batch_size=8, eval_every=30, ema_decay=ema_decay)
        metrics = fit(replace(TINY, method=method), VOCABULARY, NAMES, NAMES, seed=1).metrics
        return float(metrics[0]["dev_nll"])

    # A plain average of decay 0.9999 would be the random start still.
    assert abs(first_dev_nll(0.9999) - first_dev_nll(0.8)) < 0.2


def test_bfloat16_trains_to_another_but_like_curve() -> None:
    single, half = (
        [row["dev_nll"] for row in fit(
            replace(TINY, dropout=0.0), VOCABULARY, NAMES, NAMES, seed=1, run=Run(precision=name)
        ).metrics]
        for name in ("float32", "bf16")
    )  # fmt: skip
    assert single != half
    assert half == pytest.approx(single, rel=0.05)
    assert half[-1] < half[0]


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_builds_a_model_of_the_registry(name: str) -> None:
    recipe = RECIPES[name]()
    n_grams = 9 if recipe.architecture == "ngram" else 0
    config = recipe.model_config(vocab_size=27, longest=15, n_grams=n_grams)
    assert config.vocab_size == 27
    assert recipe.architecture in ARCHITECTURES
    if recipe.architecture != "mixture":
        model = build_model(recipe.architecture, config)
        assert model.config == config
        assert model.max_length is None or model.max_length >= 15 or recipe.kind == "text"


def test_an_unknown_recipe_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="unknown recipe 'lstm-9000'; known: bigram, .*gru"):
        find_recipe("lstm-9000")


def test_a_loss_that_runs_away_is_said_and_nothing_is_kept() -> None:
    wild = Descent(steps=20, learning_rate=1e30, warmup_steps=1, eval_every=10, grad_clip=1e30)
    with pytest.raises(DivergedError, match="at step 10: .*lower learning rate"):
        fit(replace(TINY, method=wild), VOCABULARY, NAMES, NAMES, seed=1)

"""The neural bigram model, fitted as lecture 2 fits it."""

from pathlib import Path

import pytest
import torch

from models.bigram import Bigram
from models.config import ModelConfig
from models.neural_bigram import NeuralBigram
from models.vocabulary import Vocabulary
from tests.training.conftest import NAMES, VOCABULARY
from training.batches import Part
from training.corpus import encode_lines, read_corpus
from training.counting import count
from training.evaluate import mean_nll
from training.fit import fit
from training.full_batch import descend_fully
from training.loss import cross_entropy
from training.recipes import FullBatch, Recipe


def unit_normal(vocab_size: int) -> NeuralBigram:
    """With the lecture's weights."""
    model = NeuralBigram(ModelConfig(block_size=1, vocab_size=vocab_size))
    generator = torch.Generator().manual_seed(2147483647)
    model.weight.data = torch.randn((vocab_size, vocab_size), generator=generator)
    return model


@pytest.fixture
def lecture(names_path: Path) -> Part:
    lines = read_corpus(names_path).items
    return encode_lines(lines, Vocabulary.of(lines))


def test_the_losses_are_the_lectures(lecture: Part) -> None:
    model = unit_normal(27)
    curve = descend_fully(model, *lecture, FullBatch(steps=200, learning_rate=50.0, l2=0.01))
    losses = {row["step"]: row["train_loss"] for row in curve}
    assert losses[0] == pytest.approx(3.7686, abs=5e-5)
    assert losses[100] == pytest.approx(2.4900, abs=1e-4)
    assert losses[200] == pytest.approx(2.4830, abs=1e-4)
    assert mean_nll(model, *lecture) == pytest.approx(curve[-1]["train_nll"], abs=1e-5)


@pytest.mark.slow
def test_without_a_penalty_it_goes_where_counting_goes(lecture: Part) -> None:
    model = unit_normal(27)
    curve = descend_fully(model, *lecture, FullBatch(steps=1000, l2=0.0))
    counted = Bigram(model.config)
    count(counted, *lecture, smoothing=0.0)
    optimum = mean_nll(counted.double(), *lecture)
    assert optimum == pytest.approx(2.4540, abs=5e-5)
    assert optimum < curve[-1]["train_nll"] <= 2.456
    rows = counted.counts.sum(1, keepdim=True)
    apart = (model.weight.softmax(-1) - counted.counts / rows).abs() * rows / rows.sum()
    assert apart.max() < 1e-3  # of rare characters it has learned less


def test_a_step_is_that_of_autograd_over_every_pair() -> None:
    inputs, targets = encode_lines(NAMES, VOCABULARY)
    fitted, direct = unit_normal(len(VOCABULARY)), unit_normal(len(VOCABULARY)).double()
    method = FullBatch(steps=5, learning_rate=10.0, l2=0.1)
    curve = descend_fully(fitted, inputs, targets, method)
    for row in curve[:-1]:
        nll = cross_entropy(direct(inputs), targets)
        loss = nll + method.l2 * (direct.weight**2).mean()
        assert row["train_nll"] == pytest.approx(nll.item(), abs=1e-5)
        assert row["train_loss"] == pytest.approx(loss.item(), abs=1e-5)
        direct.weight.grad = None
        loss.backward()
        assert direct.weight.grad is not None
        direct.weight.data -= method.learning_rate * direct.weight.grad
    torch.testing.assert_close(fitted.weight.double(), direct.weight, atol=1e-5, rtol=0)


def test_fit_reports_the_curve_and_starts_from_its_seed() -> None:
    recipe = Recipe("neural-bigram", FullBatch(steps=40, learning_rate=5.0), block_size=1)
    first, again, other = (fit(recipe, VOCABULARY, NAMES, NAMES, seed=s) for s in (1, 1, 2))
    assert [row["step"] for row in first.metrics] == list(range(0, 41, 2))
    assert first.metrics == again.metrics != other.metrics
    assert first.best_step == 40
    assert first.metrics[-1]["dev_nll"] == pytest.approx(first.metrics[-1]["train_nll"], abs=1e-5)
    losses = [row["train_loss"] for row in first.metrics]
    assert losses == sorted(losses, reverse=True)

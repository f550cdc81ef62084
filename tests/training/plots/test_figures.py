"""Curves, NLLs and comparisons: what was measured."""

import math
import re
from dataclasses import replace

import pytest

from models.checkpoint import Metadata
from models.plots import plot_title
from tests.training.plots.conftest import (
    CURVE,
    EVALUATION,
    LIMIT_BYTES,
    NAMES,
    checkpoint_of,
    texts,
)
from training.plots import draw_lr_find, draw_nll_comparison, draw_plots


def test_the_nlls_of_every_part_are_written_in_their_usual_order(transformer) -> None:
    written = texts(draw_plots(transformer, NAMES)["nll"])
    assert [text for text in written if re.fullmatch(r"\d\.\d{4}", text)] == [
        "2.0625", "2.1250", "2.2500", "1.2500", "1.5000", "1.7500",
    ]  # fmt: skip
    assert {"clean", "makemore", "train", "dev", "test", "test, unseen"} <= set(written)
    assert "a uniform guess: ln 8 = 2.08" in written


def test_the_split_whose_model_was_kept_comes_first(transformer) -> None:
    record = replace(transformer.metadata, training={"fitted_on": "makemore"})
    written = texts(draw_plots(replace(transformer, metadata=record), NAMES)["nll"])
    assert written.index("makemore") < written.index("clean")


def test_the_curve_says_which_step_was_the_best(transformer) -> None:
    drawn = draw_plots(transformer, NAMES)
    written = texts(drawn["loss"])
    assert "transformer on names.txt: best dev NLL 0.4286 at step 700" in written
    assert {"dev", "train", "step", "nats per character"} <= set(written)
    assert "transformer on names.txt: highest 0.001, last 0.0001" in texts(drawn["learning-rate"])


@pytest.mark.parametrize("losses", [[3.0, 2.5, 2.0, 9e9], [3.0, 2.5, math.nan, math.inf]])
def test_a_range_test_that_diverges_is_drawn_as_far_as_it_says_something(losses) -> None:
    svg = draw_lr_find([1e-5, 1e-4, 1e-3, 1e-2], losses, 5e-4)
    assert {"Suggested: 0.0005", "0.0005", "learning rate"} <= set(texts(svg))
    assert len(svg) < LIMIT_BYTES


def test_a_range_test_without_a_curve_is_refused() -> None:
    with pytest.raises(ValueError, match="fewer than two finite losses"):
        draw_lr_find([1e-5, 1e-4], [3.0, math.nan], 1e-4)


def test_models_are_compared_from_the_best_on() -> None:
    rows = {
        "worse": {"clean": 2.5},
        "best": {"clean": 1.5, "makemore": 1.75},
        "mid": {"clean": 2.0},
    }
    written = texts(draw_nll_comparison(rows))
    assert [text for text in written if text in rows] == ["best", "mid", "worse"]
    assert {"1.5000", "1.7500", "2.0000", "2.5000", "makemore"} <= set(written)
    for nothing in ({}, {"a": {}}):
        with pytest.raises(ValueError, match="nothing to compare"):
            draw_nll_comparison(nothing)


def test_names_that_are_not_ours_are_shortened_and_made_safe(transformer) -> None:
    metadata = Metadata({"name": "a\x01\ud800" + "x" * 500}, {"recipe": "<b>&"}, EVALUATION)
    for svg in draw_plots(replace(transformer, metadata=metadata), NAMES).values():
        assert plot_title(svg)
        assert max(map(len, texts(svg))) < 110


def test_of_a_mixture_every_member_that_has_a_curve_is_drawn_and_named(make_model) -> None:
    # The random mixture of make_model: a GRU, a Transformer and an MLP.
    first, last = ([{"member": i} | row for row in CURVE] for i in (0, 2))
    counted = {"member": 1, "step": 0, "dev_nll": 2.5}
    metrics = (*first, counted, *last, {"step": 2000, "dev_nll": 0.25})
    drawn = draw_plots(checkpoint_of("mixture", make_model("mixture"), metrics=metrics), NAMES)
    written = texts(drawn["loss"])
    assert {"1 gru: 0.4286", "3 mlp: 0.4286", "mixture: 0.2500"} <= set(written)
    assert not any("transformer" in text for text in written)  # it has no steps here
    assert "mixture on names.txt: dev NLL of the mixture 0.2500" in written
    assert "mixture on names.txt: highest 0.001, last 0.0001" in texts(drawn["learning-rate"])

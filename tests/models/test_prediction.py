"""What comes after a prefix: all of a distribution, with the numbers of a score."""

import math

import numpy as np
import pytest
import torch

from models.errors import ParameterError, UnknownCharacterError
from models.prediction import Prediction, reshaped
from models.prefix_tree import PrefixTree
from models.rows import longest_name
from models.sampling import SamplingParams, probabilities
from models.score import Scoring
from models.scoring import Scorer, score
from models.vocabulary import BOUNDARY
from tests.models.conftest import each_architecture
from tests.models.test_scoring import words_of
from tests.models.test_scoring_sharing import TREES, steps_to_score, tree_of

RESHAPED = [
    SamplingParams(0.5),
    SamplingParams(0),
    SamplingParams(10, top_k=3),
    SamplingParams(top_p=0.7),
    SamplingParams(2.0, 5, 0.9, 0.1),
]


def prefixes_of(served, count):
    longest = min(20, longest_name(*served) - 1)  # a thousand of sliding text take long
    return ["", *words_of("abcdefg", count, longest), ("abcdefg" * 10)[:longest]]


@each_architecture
@pytest.mark.parametrize("kind", ["lines", "text"])
def test_a_prediction_is_the_last_row_of_a_plain_full_forward(architecture, kind, make_model):
    model, vocabulary = served = make_model(architecture, kind=kind)
    prefixes = prefixes_of(served, 40)
    predictions = [Prediction(*served, prefix) for prefix in prefixes]
    steps_to_score(Scorer(*served, PrefixTree(model, 0)), *predictions)
    for prefix, prediction in zip(prefixes, predictions, strict=True):
        logits = model(torch.tensor([[BOUNDARY, *vocabulary.encode(prefix)]]))[0, -1]
        if kind == "text":
            logits[BOUNDARY] = -torch.inf
        expected = logits.log_softmax(dim=-1).numpy()
        assert prediction.log_probs.dtype == np.float32
        assert prediction.log_probs == pytest.approx(expected, rel=2.0**-24, abs=1e-12)


@each_architecture
@pytest.mark.parametrize("kind", ["lines", "text"])
def test_a_prediction_is_the_same_whatever_the_tree_knows_and_whoever_else_asks(
    architecture, kind, make_model
):
    served = make_model(architecture, kind=kind)
    prefixes = prefixes_of(served, 40)
    words = words_of("abcdefg", 60, min(12, longest_name(*served)))
    expected = {}
    for tree_bytes in TREES:
        scorer = Scorer(*served, tree_of(served, tree_bytes))
        crowd = [Prediction(*served, prefix) for prefix in (*prefixes, *prefixes)]
        scoring = Scoring(*served, words)
        steps_to_score(scorer, *crowd, scoring)
        assert scoring.result() == score(*served, words)
        for prefix, prediction in zip((*prefixes, *prefixes), crowd, strict=True):
            found = prediction.log_probs.tobytes()
            assert expected.setdefault(prefix, found) == found
        for prefix in prefixes[:5]:
            alone = Prediction(*served, prefix)
            steps_to_score(scorer, alone)
            assert alone.log_probs.tobytes() == expected[prefix]


@each_architecture
def test_a_word_is_as_likely_as_its_characters_are_predicted(architecture, make_model):
    model, vocabulary = served = make_model(architecture)
    (found,) = score(*served, ["abcab"])
    scorer = Scorer(*served, PrefixTree(model, 0))
    for i, character in enumerate(found.characters):
        prediction = Prediction(*served, "abcab"[:i])
        steps_to_score(scorer, prediction)
        token_id = vocabulary.encode(character)[0] if character else BOUNDARY
        probs, nlls = reshaped(prediction.log_probs, SamplingParams())
        assert nlls[token_id] == found.nlls[i]
        assert probs[token_id] == found.probabilities[i]


def test_a_prediction_that_is_dropped_leaves_its_slot_to_a_word(make_model):
    model, _ = served = make_model("gru")
    scorer = Scorer(*served, PrefixTree(model, 0))
    dropped = Prediction(*served, "abcabc")
    scorer.add(dropped)
    scorer.step()
    scorer.remove(dropped)
    scoring = Scoring(*served, ["ab"] * 1024)  # every slot
    steps_to_score(scorer, scoring)
    assert scoring.result() == score(*served, ["ab"] * 1024)
    assert len(dropped.log_probs) == 0
    assert not hasattr(scoring, "log_probs")


@pytest.mark.parametrize("sampling", RESHAPED, ids=str)
def test_reshaped_values_are_those_that_are_drawn_by(sampling):
    log_probs = np.log(np.array([0.4, 0.3, 0.2, 0.06, 0.04])).astype(np.float32)
    expected = probabilities(log_probs.astype(np.float64)[None], sampling)[0].tolist()
    probs, nlls = reshaped(log_probs, sampling)
    assert probs == expected
    for prob, nll in zip(probs, nlls, strict=True):
        assert nll == (pytest.approx(-math.log(prob)) if prob else math.inf)
        assert math.copysign(1, nll) == 1.0


def test_an_impossible_character_is_infinitely_surprising_and_no_nan():
    log_probs = np.array([0.0, -np.inf, -np.inf], dtype=np.float32)
    for sampling in (SamplingParams(), SamplingParams(0), SamplingParams(10.0)):
        assert reshaped(log_probs, sampling) == ([1.0, 0.0, 0.0], [0.0, math.inf, math.inf])


@each_architecture
@pytest.mark.parametrize("kind", ["lines", "text"])
def test_a_prefix_that_leaves_no_room_is_refused(architecture, kind, make_model):
    served = make_model(architecture, kind=kind)
    limit = longest_name(*served)
    with pytest.raises(ParameterError, match=f"^prefix: has {limit} .* 0 to {limit - 1},"):
        Prediction(*served, "a" * limit)


def test_a_prefix_is_read_in_nfc_and_its_first_foreign_character_named(make_model):
    served = make_model("bigram", alphabet="\u00e9a")
    composed, decomposed = (Prediction(*served, text) for text in ("\u00e9", "e\u0301"))
    steps_to_score(Scorer(*served, PrefixTree(served[0], 0)), composed, decomposed)
    assert composed.log_probs.tobytes() == decomposed.log_probs.tobytes()
    with pytest.raises(UnknownCharacterError, match="^prefix: .*position 2 "):
        Prediction(*served, "e\u0301ab")

"""Scores beside other scores, through the prefix tree: the same bits, and nobody waits long."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch

from models import scoring as scoring_module
from models.generation import Sampler, generate
from models.prefix_tree import PrefixTree
from models.request import GenerationRequest
from models.rows import ROWS, longest_name
from models.score import Score, Scoring
from models.scoring import Scorer, score
from models.vocabulary import BOUNDARY
from tests.exact import bundled, bundled_ids
from tests.models.conftest import Served, each_architecture
from tests.models.test_scoring import words_of

TREES = (0, 5_000, 100_000)
"""Bytes: empty, a few nodes, more than these words need."""


def tree_of(served: Served, tree_bytes: int) -> PrefixTree:
    """A full tree, or one that has all that a thousand names need."""
    sampler = Sampler(*served, tree_bytes)
    for _ in range(100):
        sampler.grow()
    return sampler.tree


def steps_to_score(scorer: Scorer, *scorings: Scoring) -> int:
    for scoring in scorings:
        scorer.add(scoring)
    steps = 0
    while not all(scoring.done for scoring in scorings):
        scorer.step()
        steps += 1
    return steps


def through(scorer: Scorer, served: Served, words: Sequence[str]) -> list[Score]:
    scoring = Scoring(*served, words)
    steps_to_score(scorer, scoring)
    return scoring.result()


@each_architecture
@pytest.mark.parametrize("kind", ["lines", "text"])
def test_a_score_is_the_same_whatever_the_tree_knows(architecture, kind, make_model):
    served = make_model(architecture, kind=kind)
    words = words_of("abcdefg", 70, min(12, longest_name(*served)))
    expected = score(*served, words)
    for tree_bytes in TREES:
        scorer = Scorer(*served, tree_of(served, tree_bytes))
        assert through(scorer, served, words) == expected
        assert through(scorer, served, words[::-1]) == expected[::-1]
        assert [through(scorer, served, [word])[0] for word in words[:20]] == expected[:20]


@each_architecture
def test_scorings_that_come_and_go_do_not_change_one_another(architecture, make_model):
    served = make_model(architecture)
    words = words_of("ab", 120, longest_name(*served))  # of two characters: they share much
    expected = dict(zip(words, score(*served, words), strict=True))
    scorer = Scorer(*served, tree_of(served, 5_000))
    random = np.random.default_rng(0)
    under_way: list[tuple[Scoring, list[str]]] = []
    for _ in range(60):
        mine = [str(word) for word in random.choice(words, random.integers(1, 40))]
        under_way.append((Scoring(*served, mine), mine))
        scorer.add(under_way[-1][0])
        if len(under_way) > 4:
            gone, _ = under_way.pop(int(random.integers(len(under_way))))
            scorer.remove(gone)
        for scoring in scorer.step():
            mine = next(some for one, some in under_way if one is scoring)
            assert scoring.result() == [expected[word] for word in mine]
            under_way.remove((scoring, mine))
    while scorer.busy:
        for scoring in scorer.step():
            mine = next(some for one, some in under_way if one is scoring)
            assert scoring.result() == [expected[word] for word in mine]
    assert scorer._branches.forks == 0
    assert scorer._words.free == scoring_module._SLOTS


@each_architecture
def test_without_room_for_copies_of_states_a_score_is_the_same(
    architecture, make_model, monkeypatch
):
    served = make_model(architecture)
    words = words_of("abc", 100, longest_name(*served))
    expected = score(*served, words)
    monkeypatch.setattr(scoring_module, "_FORK_BYTES", 0)
    assert score(*served, words) == expected
    assert through(Scorer(*served, tree_of(served, 5_000)), served, words) == expected


def test_the_tree_grows_between_steps_and_the_scores_are_the_same(make_model):
    served = make_model("lstm")
    words = words_of("abcdefg", 200, longest_name(*served))
    sampler = Sampler(*served, 100_000)
    scorer, scoring = Scorer(*served, sampler.tree), Scoring(*served, words)
    scorer.add(scoring)
    while not scoring.done:
        scorer.step()
        sampler.grow()
    assert len(sampler.tree)
    assert scoring.result() == score(*served, words)


# ---------------------------------------------------------------- what it costs


@pytest.mark.parametrize("architecture", ["lstm", "transformer", "bigram"])
def test_a_prefix_that_words_share_is_evaluated_once(architecture, make_model):
    served = make_model(architecture)
    empty = PrefixTree(served[0], 0)
    # One word, however often, by however many requests: a pass a prediction.
    scorings = [Scoring(*served, ["abcdefg"] * 40) for _ in range(5)]
    assert steps_to_score(Scorer(*served, empty), *scorings) == len("abcdefg.")
    # All words of two characters: 1 + 7 + 49 prefixes, 1 + 1 + 2 passes of 32, not 5 of 3.
    words = [a + b for a in "abcdefg" for b in "abcdefg"]
    assert steps_to_score(Scorer(*served, empty), Scoring(*served, words)) <= 4


@pytest.mark.parametrize("architecture", ["lstm", "transformer"])
def test_what_the_tree_knows_takes_no_pass(architecture, make_model, monkeypatch):
    served = make_model(architecture, alphabet="ab", block_size=5)
    tree = tree_of(served, 1_000_000)
    words = [drawn.name for drawn in generate(*served, GenerationRequest(0, n=100)).names]
    expected = score(*served, words)
    monkeypatch.setattr(type(served[0]), "step", lambda *_: 1 / 0)
    assert through(Scorer(*served, tree), served, words) == expected


# ---------------------------------------------------------------- turns


@pytest.mark.parametrize("tree_bytes", TREES)
def test_a_short_scoring_is_not_held_up_by_long_ones(tree_bytes, make_model):
    served = make_model("gru")
    longest = longest_name(*served)
    scorer = Scorer(*served, tree_of(served, tree_bytes))
    long = [Scoring(*served, words_of("abcdefg", 1000, longest)) for _ in range(3)]
    for scoring in long:
        scorer.add(scoring)
    scorer.step()
    # A slot, then a row, is free when the words that have them end: a word's length each.
    assert steps_to_score(scorer, Scoring(*served, ["gfedcba"])) <= 3 * (longest + 1)
    assert not any(scoring.done for scoring in long) or tree_bytes


def test_rows_go_to_the_scorings_in_turn(make_model):
    served = make_model("gru")
    scorer = Scorer(*served, PrefixTree(served[0], 0))
    long, other = (Scoring(*served, words_of(some, 400, 8)) for some in ("abc", "defg"))
    for scoring in (long, other):
        scorer.add(scoring)
    for _ in range(5):
        scorer.step()
    rows = {
        scoring: len(set(scorer._row[scorer._words.of(scoring)]) - {-1})
        for scoring in (long, other)
    }
    assert min(rows.values()) >= ROWS // 3


# ---------------------------------------------------------------- the bundled models


@pytest.mark.parametrize("model_id", bundled_ids("lines", "text"))
def test_bundled_models_score_as_a_plain_float64_forward_does(model_id):
    checkpoint = bundled(model_id)
    model, vocabulary = checkpoint.model, checkpoint.vocabulary
    request = GenerationRequest(20261121, n=100, max_length=None if vocabulary.ends else 20)
    words = [drawn.name for drawn in generate(model, vocabulary, request).names]
    words += ["".join(vocabulary.characters[:9]), vocabulary.characters[-1]]
    scorer = Scorer(model, vocabulary, tree_of((model, vocabulary), 1 << 20))
    found = through(scorer, (model, vocabulary), words)
    for word, scored in zip(words, found, strict=True):
        predicted = vocabulary.encode(word) + [BOUNDARY] * vocabulary.ends
        with torch.inference_mode():
            logits = model(torch.tensor([[BOUNDARY, *predicted][: len(predicted)]]))[0]
            if not vocabulary.ends:
                logits[:, BOUNDARY] = -torch.inf
        expected = -logits.log_softmax(-1)[range(len(predicted)), predicted]
        assert scored.nlls == pytest.approx(expected.tolist(), rel=0, abs=1e-6)

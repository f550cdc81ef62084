"""Heat maps, embeddings and lengths: characters and names of the corpus and the model."""

import math
import random
import re
from xml.etree import ElementTree

import pytest

from tests.training.plots.conftest import (
    HEAT_LIMIT_BYTES,
    NAMES,
    checkpoint_of,
    texts,
)
from training.corpus import read_corpus
from training.plots import draw_plots


def test_the_heat_map_has_every_pair_and_its_count(transformer) -> None:
    written = texts(draw_plots(transformer, ["ab", "ab", "ba"])["bigrams"])
    pairs = {a + b for a in ".ab" for b in ".ab"}
    assert pairs <= set(written)
    assert sorted(text for text in written if text.isdigit()) == list("000111222")
    assert "9 pairs of neighbours; . is start and end" in written


def test_the_heat_map_of_the_lecture_has_its_counts_and_is_small(names_path, make_model) -> None:
    lines = read_corpus(names_path).items
    made = make_model("bigram", alphabet="abcdefghijklmnopqrstuvwxyz")
    svg = draw_plots(checkpoint_of("bigram", made), lines)["bigrams"]
    assert len(svg) < HEAT_LIMIT_BYTES
    assert {"n.", "6763", "a.", "6640", "an", "5438", ".a", "4410"} <= set(texts(svg))


def test_of_a_large_alphabet_the_most_frequent_characters_are_shown(make_model) -> None:
    alphabet = "".join(chr(0xAC00 + i) for i in range(200))
    words = [alphabet[i] * 2 for i in range(200)] + [alphabet[:30]] * 3
    drawn = draw_plots(
        checkpoint_of("transformer", make_model("transformer", alphabet=alphabet)), words
    )
    written = texts(drawn["bigrams"])
    assert any(text.startswith("The 40 most frequent of 201 characters") for text in written)
    assert alphabet[0] * 2 in written
    assert alphabet[199] * 2 not in written
    placed = texts(drawn["embeddings"])
    assert "Character embeddings: the 150 most frequent" in placed
    assert len(set(alphabet) & set(placed)) == 149  # and the boundary


@pytest.mark.parametrize(
    ("architecture", "what"),
    [("transformer", "of its embedding"), ("mixture", "of its embedding"),
     ("bigram", "of the log-probabilities after them")],
)  # fmt: skip
def test_every_character_has_a_place(architecture, what, make_model) -> None:
    svg = draw_plots(checkpoint_of(architecture, make_model(architecture)), NAMES)["embeddings"]
    written = texts(svg)
    for character in ".abcdefg":
        assert character in written
    assert any(what in text for text in written)
    assert {"vowels", "other characters", ". start and end"} <= set(written)


def test_characters_that_a_model_treats_alike_do_not_lie_on_each_other(make_model) -> None:
    model, vocabulary = make_model("transformer")
    model.token_embedding.weight.data[2:] = 0.0
    svg = draw_plots(checkpoint_of("transformer", (model, vocabulary)), NAMES)["embeddings"]
    namespace = "{http://www.w3.org/2000/svg}text"
    places = [
        (float(element.get("x", "nan")), float(element.get("y", "nan")))
        for element in ElementTree.fromstring(svg).iter(namespace)
        if element.text in set("abcdefg")
    ]
    nearest = min(math.dist(a, b) for i, a in enumerate(places) for b in places[:i])
    assert len(places) == 7
    assert nearest > 12


@pytest.mark.parametrize("n_embd", [1, 2])
def test_a_narrow_embedding_is_drawn_as_it_is(n_embd, make_model) -> None:
    made = make_model("mlp", n_embd=n_embd)
    written = texts(draw_plots(checkpoint_of("mlp", made), NAMES)["embeddings"])
    assert f"{n_embd} dimension{'s' * (n_embd > 1)} of its embedding" in written


def test_lengths_are_those_of_the_corpus_and_of_names_drawn(transformer) -> None:
    written = texts(draw_plots(transformer, NAMES)["lengths"])
    assert f"corpus: {len(NAMES)} names, mean {sum(map(len, NAMES)) / len(NAMES):.2f}" in written
    assert any(re.fullmatch(r"model: [\d,]+ drawn, mean \d\.\d\d", text) for text in written)
    assert {"characters", "share of names"} <= set(written)


def test_of_running_text_the_characters_are_compared(make_model) -> None:
    text = "".join(random.Random(0).choices("ab \n$_.", k=3000))
    made = make_model("transformer", alphabet="ab \n$_.", kind="text")
    drawn = draw_plots(checkpoint_of("transformer", made), [text])
    written = texts(drawn["lengths"])
    assert "corpus: 3,000 characters" in written
    assert "model: 800 drawn" in written
    assert {"␣", "↵", "$", "_", "."} <= set(written)
    assert "2,999 pairs of neighbours" in texts(drawn["bigrams"])
    assert not any("start and end" in text for text in texts(drawn["embeddings"]))


def test_where_full_stops_are_characters_the_boundary_is_another_sign(make_model) -> None:
    drawn = draw_plots(
        checkpoint_of("bigram", make_model("bigram", alphabet=".ab")), ["a.b.", "b.a."]
    )
    assert {"¶a", "a.", ".¶"} <= set(texts(drawn["bigrams"]))

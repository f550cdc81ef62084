"""The pictures: what is drawn for which model, and that all can be read by everyone."""

import math
import random
import re
from collections.abc import Callable
from dataclasses import replace
from xml.etree import ElementTree

import pytest
import torch

from models.base import LanguageModel
from models.checkpoint import Checkpoint, Metadata, load_checkpoint
from models.errors import UnknownCharacterError
from models.plots import PLOT_NAME, plot_title
from models.registry import ARCHITECTURES
from models.vocabulary import Vocabulary
from training.corpus import read_corpus
from training.plots import draw_lr_find, draw_nll_comparison, draw_plots
from training.plots.theme import HEAT_LEVELS, PALETTE

NAMES = ["abc", "bad", "cab", "dab", "fad", "gab", "bag", "egg", "add", "fee", "a", "beef"]
CURVE = tuple(
    {"step": 100 * i, "learning_rate": 1e-3 / i, "train_loss": 3 / i, "dev_nll": 3 / i + abs(i - 7)}
    for i in range(1, 11)
)
EVALUATION = {
    "clean": {"dev": 2.125, "test": 2.25, "train": 2.0625},
    "makemore": {"test": 1.5, "test_unseen": 1.75, "train": 1.25},
}
LIMIT_BYTES, HEAT_LIMIT_BYTES = 60_000, 120_000

Draw = Callable[..., dict[str, bytes]]
Model = tuple[LanguageModel, Vocabulary]


def texts(svg: bytes) -> list[str]:
    """What stands written in a picture."""
    root = ElementTree.fromstring(svg)
    return [element.text or "" for element in root.iter("{http://www.w3.org/2000/svg}text")]


def checkpoint_of(architecture: str, made: Model, **changes: object) -> Checkpoint:
    model, vocabulary = made
    metadata = Metadata({"name": "names.txt"}, {"recipe": architecture}, EVALUATION)
    return replace(Checkpoint(architecture, model, vocabulary, metadata), **changes)


@pytest.fixture
def transformer(make_model: Callable[..., Model]) -> Checkpoint:
    return checkpoint_of("transformer", make_model("transformer"), metrics=CURVE)


# ---------------------------------------------------------------- all of them


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_architecture_has_its_pictures(architecture, make_model) -> None:
    drawn = draw_plots(checkpoint_of(architecture, make_model(architecture)), NAMES)
    assert set(drawn) == {"bigrams", "embeddings", "lengths", "nll"}
    for name, svg in drawn.items():
        assert PLOT_NAME.fullmatch(name)
        assert plot_title(svg)


def test_the_curves_are_drawn_where_there_are_some(transformer) -> None:
    assert set(draw_plots(transformer, NAMES)) == {
        "bigrams", "embeddings", "learning-rate", "lengths", "loss", "nll",
    }  # fmt: skip
    counted = ({"step": 0, "dev_nll": 2.5}, {"step": 1, "dev_nll": 2.25})
    for metrics in (CURVE[:1], counted):
        drawn = draw_plots(replace(transformer, metrics=metrics), NAMES)
        assert not {"loss", "learning-rate"} & set(drawn)
    bare = replace(transformer, metadata=Metadata())
    assert "nll" not in draw_plots(bare, NAMES)


def test_a_picture_is_always_the_same_bytes(transformer) -> None:
    assert draw_plots(transformer, NAMES) == draw_plots(transformer, NAMES)


def test_a_loaded_checkpoint_gets_the_pictures_of_the_one_that_was_saved(make_checkpoint) -> None:
    loaded = load_checkpoint(make_checkpoint("transformer"))
    single = replace(loaded, model=make_single(loaded.model))
    assert draw_plots(single, NAMES) == draw_plots(loaded, NAMES)
    assert {t.dtype for t in single.model.state_dict().values()} == {torch.float32}
    assert single.model.training


def make_single(model: LanguageModel) -> LanguageModel:
    """A model as it is right after training."""
    other = type(model)(model.config)
    other.load_state_dict(model.state_dict())
    return other.float().train()


def every_picture(transformer: Checkpoint) -> dict[str, bytes]:
    others = {
        "lr-find": draw_lr_find([1e-4, 1e-3, 1e-2], [3.0, 2.0, 5.0], 1e-3),
        "comparison": draw_nll_comparison({"a": {"clean": 2.0}, "b": {"clean": 1.0}}),
    }
    return draw_plots(transformer, NAMES) | others


def test_every_picture_suits_light_and_dark_pages(transformer) -> None:
    for name, svg in every_picture(transformer).items():
        text = svg.decode()
        assert "@media(prefers-color-scheme:dark)" in text, name
        body = re.sub(r"<style>.*?</style>", "", text, flags=re.DOTALL)
        assert not re.search(r"#[0-9a-f]{6}|rgb\(", body), name
        style = text.partition("<style>")[2].partition("</style>")[0]
        used, given = (
            set(re.findall(r"var\((--[\w-]+)\)", style)),
            re.findall(r"(--[\w-]+):", style),
        )
        assert set(given) == used, name
        assert all(given.count(variable) == 2 for variable in used), name  # one a scheme
        rules = style.partition("}text{")[2]
        assert not re.search(r"#[0-9a-f]{3}", rules), f"{name}: a colour that no scheme changes"


def test_every_picture_can_be_read_without_being_seen(transformer) -> None:
    for svg in every_picture(transformer).values():
        root = ElementTree.fromstring(svg)
        assert root.get("role") == "img"
        assert [child.tag.rpartition("}")[2] for child in root[:2]] == ["title", "desc"]
        assert root[1].text


def test_pictures_are_small_and_say_nothing_of_when_and_by_whom(transformer) -> None:
    for svg in every_picture(transformer).values():
        assert len(svg) < LIMIT_BYTES
        assert b"matplotlib" not in svg
        assert not re.search(rb"20\d\d-\d\d", svg)


def contrast(one: str, other: str) -> float:
    """Of two colours, as WCAG 2 has it: 1 to 21."""

    def luminance(color: str) -> float:
        parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        red, green, blue = (
            part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
        )
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_text_stands_out_from_what_is_behind_it(scheme) -> None:
    for role in ("ink", "muted", "first", "second"):
        assert contrast(PALETTE[role][scheme], PALETTE["surface"][scheme]) >= 4.5, role
    for level in range(HEAT_LEVELS):
        ink = "on-pale" if level <= 5 else "on-deep"
        assert contrast(PALETTE[ink][scheme], PALETTE[f"heat-{level}"][scheme]) >= 4.5, level


def test_a_light_colour_plays_one_role_only() -> None:
    assert len({light for light, _ in PALETTE.values()}) == len(PALETTE)


def test_a_corpus_of_other_characters_is_refused(transformer) -> None:
    with pytest.raises(UnknownCharacterError):
        draw_plots(transformer, ["abc", "xyz"])
    for nothing in ([], [""]):
        with pytest.raises(ValueError, match="no corpus"):
            draw_plots(transformer, nothing)


# ---------------------------------------------------------------- one by one


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

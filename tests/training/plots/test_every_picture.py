"""What holds for all pictures: that they are drawn, and that everyone can read them."""

import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest
import torch

from models.base import LanguageModel
from models.checkpoint import Checkpoint, Metadata, load_checkpoint
from models.errors import UnknownCharacterError
from models.plots import PLOT_NAME, plot_title
from models.registry import ARCHITECTURES
from tests.training.plots.conftest import CURVE, LIMIT_BYTES, NAMES, checkpoint_of
from training.plots import draw_lr_find, draw_nll_comparison, draw_plots
from training.plots.theme import HEAT_LEVELS, PALETTE


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

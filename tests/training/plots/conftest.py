"""A small corpus, checkpoints to draw, and what stands written in a picture."""

from collections.abc import Callable
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from models.base import LanguageModel
from models.checkpoint import Checkpoint, Metadata
from models.vocabulary import Vocabulary

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

"""Checkpoints of models of running text."""

import pytest
import torch

from models.checkpoint import Checkpoint, Metadata, load_checkpoint, save_checkpoint
from models.errors import CheckpointError
from models.vocabulary import Vocabulary
from tests.models.conftest import HANGUL


def test_a_checkpoint_of_text_is_loaded_as_one(make_checkpoint):
    loaded = load_checkpoint(make_checkpoint("transformer", kind="text", alphabet=HANGUL))
    assert loaded.kind == "text"
    assert loaded.vocabulary == Vocabulary.of([HANGUL], ends=False)
    assert "\n" in loaded.vocabulary.characters
    assert loaded.training_names == frozenset()


def test_the_same_weights_have_another_fingerprint_as_a_model_of_text(make_checkpoint):
    of_names = load_checkpoint(make_checkpoint("transformer"))
    of_text = load_checkpoint(make_checkpoint("transformer", name="text", kind="text"))
    assert of_names.kind == "lines"
    for name, tensor in of_names.model.state_dict().items():
        assert torch.equal(of_text.model.state_dict()[name], tensor)
    assert of_text.fingerprint != of_names.fingerprint


def checkpoint_of(served, **corpus: object) -> Checkpoint:
    model, vocabulary = served
    return Checkpoint("bigram", model, vocabulary, Metadata(corpus=corpus))


def test_a_corpus_without_a_kind_is_one_of_lines_with_the_same_fingerprint(make_model, tmp_path):
    served = make_model("bigram", dtype=torch.float32)
    found = []
    for name, corpus in (("old", {}), ("new", {"kind": "lines"})):
        save_checkpoint(tmp_path / name, checkpoint_of(served, **corpus), ["ab"])
        found.append(load_checkpoint(tmp_path / name))
    assert [checkpoint.kind for checkpoint in found] == ["lines", "lines"]
    assert found[0].fingerprint == found[1].fingerprint


@pytest.mark.parametrize("kind", ["", "Text", None, 1, ["text"], "words"], ids=repr)
def test_a_corpus_of_unknown_kind_is_refused(kind, make_model, tmp_path):
    served = make_model("bigram", dtype=torch.float32)
    with pytest.raises(CheckpointError, match=r"config\.json: "):
        save_checkpoint(tmp_path / "odd", checkpoint_of(served, kind=kind), ["ab"])


@pytest.mark.parametrize(("kind", "other"), [("lines", "text"), ("text", "lines")])
def test_a_corpus_of_another_kind_than_the_vocabulary_is_refused(kind, other, make_model, tmp_path):
    served = make_model("bigram", kind=kind, dtype=torch.float32)
    with pytest.raises(CheckpointError, match="recorded was"):
        save_checkpoint(tmp_path / "odd", checkpoint_of(served, kind=other), ["ab"])


def test_a_model_that_knows_only_the_boundary_after_a_character_is_refused(make_model, tmp_path):
    # In running text nothing is left to draw there.
    for kind in ("lines", "text"):
        model, _ = served = make_model("bigram", kind=kind, alphabet="ab", dtype=torch.float32)
        model.counts.copy_(torch.tensor([[0, 1, 1], [1, 0, 0], [1, 1, 1]]))
        model.smoothing.zero_()
        if kind == "lines":
            save_checkpoint(tmp_path / kind, checkpoint_of(served, kind=kind), ["a"])
            continue
        with pytest.raises(CheckpointError, match="NaN for some characters"):
            save_checkpoint(tmp_path / kind, checkpoint_of(served, kind=kind), ["b"])

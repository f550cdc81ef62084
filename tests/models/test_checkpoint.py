"""What is saved, and loaded again as it was; and what is not saved at all."""

import math
import re
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load as tensors_from_bytes

from models.checkpoint import Checkpoint, Metadata, load_checkpoint, save_checkpoint
from models.errors import NamewrightError
from models.generation import generate
from models.registry import ARCHITECTURES
from models.request import GenerationRequest
from models.storage import parse_json
from models.vocabulary import Vocabulary
from tests.models.conftest import FILES, each_architecture, edit_json, edit_tensors

# ---------------------------------------------------------------- round trip


@each_architecture
def test_everything_that_was_saved_is_loaded(architecture, make_model, tmp_path):
    model, vocabulary = make_model(architecture, alphabet="\u00e9ab", dtype=torch.float32)
    saved = Checkpoint(
        architecture=architecture,
        model=model,
        vocabulary=vocabulary,
        metadata=Metadata({"name": "tiny.txt"}, {"seed": 7, "rate": 1e-3}, {"clean": {"dev": 2.5}}),
        training_names=frozenset({"a", "b\u00e9", "ab"}),
        metrics=({"step": 1, "dev_nll": 2.5}, {"step": 2, "dev_nll": 2.25}),
    )
    save_checkpoint(tmp_path / "deep" / "folder", saved, ["ab", "b\u00e9"])
    loaded = load_checkpoint(tmp_path / "deep" / "folder")
    assert replace(loaded, model=model, fingerprint="") == saved
    assert type(loaded.model) is ARCHITECTURES[architecture]
    assert loaded.model.config == model.config


@each_architecture
def test_a_loaded_model_is_as_it_is_served(architecture, make_checkpoint):
    model = load_checkpoint(make_checkpoint(architecture)).model
    assert not model.training
    assert model.device == torch.device("cpu")
    tensors = model.state_dict().values()
    assert {t.dtype for t in tensors if t.is_floating_point()} == {torch.float64}
    assert not any(parameter.requires_grad for parameter in model.parameters())


@each_architecture
def test_saving_does_not_change_the_model_that_is_saved(architecture, make_model, tmp_path):
    model, vocabulary = make_model(architecture, dtype=torch.float32)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    save_checkpoint(tmp_path / "a", Checkpoint(architecture, model.train(), vocabulary), ["abc"])
    assert model.training
    for name, tensor in model.state_dict().items():
        assert tensor.dtype == before[name].dtype
        assert torch.equal(tensor, before[name])


@each_architecture
def test_the_files_are_those_documented_and_the_weights_as_fitted(architecture, make_checkpoint):
    folder = make_checkpoint(architecture)
    assert {path.name for path in folder.iterdir()} == FILES | {"manifest.json"}
    tensors = tensors_from_bytes((folder / "model.safetensors").read_bytes())
    dtypes = {tensor.dtype for tensor in tensors.values()}
    assert dtypes <= {torch.float32, torch.int64, torch.int32}
    assert (folder / "training_names.txt").read_text() == "a\nab\nb\n"
    assert list(parse_json((folder / "reference.json").read_bytes())) == ["aba", "abcdefg"]


def test_saving_again_gives_the_same_bytes(make_checkpoint):
    first, second = (make_checkpoint("transformer", name=name) for name in ("one", "two"))
    for name in FILES | {"manifest.json"}:
        assert (first / name).read_bytes() == (second / name).read_bytes()


def test_a_checkpoint_may_lie_behind_a_link_to_its_folder(make_checkpoint, tmp_path):
    folder = make_checkpoint("bigram")
    (tmp_path / "current").symlink_to(folder)
    assert load_checkpoint(tmp_path / "current").fingerprint == load_checkpoint(folder).fingerprint


# ---------------------------------------------------------------- fingerprint


def test_a_fingerprint_is_16_hex_digits_that_metadata_do_not_change(make_checkpoint):
    folder = make_checkpoint("transformer")
    fingerprint = load_checkpoint(folder).fingerprint
    assert re.fullmatch("[0-9a-f]{16}", fingerprint)
    edit_json(folder, "config.json", lambda config: config["training"].update(date="2000-01-01"))
    edit_json(folder, "reference.json", lambda reference: reference.pop("aba"))
    assert load_checkpoint(folder).fingerprint == fingerprint


def test_checkpoints_that_give_other_names_have_other_fingerprints(make_checkpoint):
    variants = [
        ("bigram", {}),
        ("transformer", {}),
        ("transformer", {"seed": 1}),
        ("transformer", {"n_head": 4}),
        ("transformer", {"alphabet": "abcdefh"}),
    ]
    found = {}
    for i, (architecture, options) in enumerate(variants):
        checkpoint = load_checkpoint(make_checkpoint(architecture, name=str(i), **options))
        request = GenerationRequest(42, n=20)
        names = generate(checkpoint.model, checkpoint.vocabulary, request).names
        found[checkpoint.fingerprint] = tuple(drawn.name for drawn in names)
    assert len(found) == len(set(found.values())) == len(variants)


def test_one_changed_weight_changes_the_fingerprint(make_checkpoint):
    folder = make_checkpoint("bigram")
    before = load_checkpoint(folder).fingerprint

    def change(tensors):
        tensors["counts"][3, 0] += 1

    edit_tensors(folder, change)
    edit_json(folder, "reference.json", lambda reference: reference.pop("abcdefg"))
    assert load_checkpoint(folder).fingerprint != before


# ---------------------------------------------------------------- what must not be saved


def spoil(checkpoint: Checkpoint) -> None:
    """Put a NaN where the word "a" does not meet it."""
    weights = checkpoint.model.state_dict()
    if "counts" in weights:
        weights["counts"][5, 5] = -1
    else:
        weights["token_embedding.weight"][5, 5] = math.nan


@pytest.mark.parametrize("architecture", ["bigram", "transformer"])
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda checkpoint: checkpoint.model.double(), ["a"]),
        (lambda checkpoint: None, []),
        (lambda checkpoint: None, ["aX"]),
        (lambda checkpoint: None, [""]),
        (lambda checkpoint: checkpoint.metadata.training.update(nll=math.nan), ["a"]),
        (lambda checkpoint: checkpoint.metrics[0].update(dev_nll=math.nan), ["a"]),
        (spoil, ["a"]),
    ],
    ids=[
        "float64 weights",
        "no reference word",
        "an unknown character",
        "an empty reference word",
        "NaN in the record",
        "NaN in the curve",
        "damaged weights",
    ],
)
def test_a_checkpoint_that_could_not_be_loaded_does_not_replace_a_good_one(
    architecture, change, words, make_model, make_checkpoint
):
    folder = make_checkpoint(architecture)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    model, vocabulary = make_model(architecture, seed=1, dtype=torch.float32)
    checkpoint = Checkpoint(
        architecture, model, vocabulary, Metadata({}, {}, {}), metrics=({"dev_nll": 2.0},)
    )
    change(checkpoint)
    with pytest.raises((NamewrightError, ValueError)):
        save_checkpoint(folder, checkpoint, words)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_vocabulary_that_is_not_the_models_is_not_saved(make_model, tmp_path):
    model, _ = make_model("bigram", alphabet="abc", dtype=torch.float32)
    checkpoint = Checkpoint("bigram", model, Vocabulary.of(["ab"]))
    with pytest.raises((NamewrightError, ValueError)):
        save_checkpoint(tmp_path / "new", checkpoint, ["ab"])
    assert not (tmp_path / "new" / "manifest.json").exists()

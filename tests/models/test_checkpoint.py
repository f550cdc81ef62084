import math
import os
import random
import re
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load as tensors_from_bytes
from safetensors.torch import save as tensors_to_bytes

from models.checkpoint import (
    REFERENCE_TOLERANCE,
    Checkpoint,
    Metadata,
    load_checkpoint,
    replace_plots,
    save_checkpoint,
)
from models.errors import CheckpointError, NamewrightError
from models.generation import generate
from models.registry import ARCHITECTURES
from models.request import GenerationRequest
from models.storage import parse_json, to_json, write_folder
from models.vocabulary import Vocabulary

each_architecture = pytest.mark.parametrize("architecture", ARCHITECTURES)

FILES = {
    "config.json",
    "metrics.jsonl",
    "model.safetensors",
    "reference.json",
    "training_names.txt",
}


def rewrite(folder: Path, name: str, data: bytes) -> None:
    """Replace a file of a checkpoint, hashes and all: damage that no hash can show."""
    files = {file: (folder / file).read_bytes() for file in FILES}
    write_folder(folder, files | {name: data})


def edit_json(folder: Path, name: str, change: Callable[[Any], Any]) -> None:
    value = parse_json((folder / name).read_bytes())
    change(value)
    rewrite(folder, name, to_json(value))


def edit_tensors(folder: Path, change: Callable[[dict[str, torch.Tensor]], Any]) -> None:
    tensors = tensors_from_bytes((folder / "model.safetensors").read_bytes())
    change(tensors)
    rewrite(folder, "model.safetensors", tensors_to_bytes(tensors))


def refusal(folder: Path, file: str) -> str:
    """The cause for which a checkpoint is refused, which is in `file`."""
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(folder)
    assert caught.value.path == str(folder / file)
    assert str(caught.value) == f"{folder / file}: {caught.value.cause}"
    return caught.value.cause


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
    assert {tensor.dtype for tensor in tensors.values()} <= {torch.float32, torch.int64}
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


# ---------------------------------------------------------------- pictures


def svg(title: str) -> bytes:
    return f'<svg xmlns="http://www.w3.org/2000/svg"><title>{title}</title></svg>\n'.encode()


PLOTS = {"loss": svg("Loss"), "nll": svg("NLL"), "a-2": svg("\uc774\ub984")}


def test_pictures_are_saved_and_loaded(make_model, tmp_path):
    model, vocabulary = make_model("bigram", dtype=torch.float32)
    save_checkpoint(tmp_path, Checkpoint("bigram", model, vocabulary, plots=PLOTS), ["abc"])
    assert load_checkpoint(tmp_path).plots == PLOTS
    assert (tmp_path / "plots" / "loss.svg").read_bytes() == PLOTS["loss"]


@each_architecture
def test_new_pictures_leave_every_other_file_and_the_fingerprint_as_they_are(
    architecture, make_checkpoint
):
    folder = make_checkpoint(architecture)
    before = load_checkpoint(folder)
    files = {name: (folder / name).read_bytes() for name in FILES}
    assert before.plots == {}
    for plots in (PLOTS, {"nll": svg("Another")}, {}):
        replace_plots(folder, plots)
        loaded = load_checkpoint(folder)
        assert loaded.plots == plots
        assert loaded.fingerprint == before.fingerprint
        assert {name: (folder / name).read_bytes() for name in FILES} == files
    assert not (folder / "plots").exists()


@pytest.mark.parametrize(
    "name", ["", "Loss", "loss.svg", "../loss", "1st", "a_b", "-a", "a/b", "é"]
)
def test_a_picture_of_another_name_is_not_saved(name, make_checkpoint):
    folder = make_checkpoint("bigram")
    with pytest.raises(CheckpointError, match="not a picture's name"):
        replace_plots(folder, {name: PLOTS["loss"]})
    assert load_checkpoint(folder).plots == {}


BAD_PICTURES = [
    (b"", "not well-formed XML"),
    (b"<svg", "not well-formed XML"),
    (b"<html/>", "not a plain SVG drawing: <html>"),
    (svg("x").replace(b"</svg>", b"<script/></svg>"), "not a plain SVG drawing: <script>"),
    (svg(""), "a picture without a title"),
]


@pytest.mark.parametrize(("data", "cause"), BAD_PICTURES)
def test_what_is_no_drawing_is_neither_saved_nor_loaded(data, cause, make_checkpoint):
    folder = make_checkpoint("bigram")
    replace_plots(folder, PLOTS)
    with pytest.raises(CheckpointError, match=cause):
        replace_plots(folder, PLOTS | {"nll": data})
    assert load_checkpoint(folder).plots == PLOTS
    rewrite(folder, "plots/nll.svg", data)  # with sound hashes
    assert cause in refusal(folder, "plots/nll.svg")


def test_a_flipped_bit_in_a_picture_is_refused_by_its_name(make_checkpoint):
    folder = make_checkpoint("bigram")
    replace_plots(folder, PLOTS)
    for position in range(len(PLOTS["nll"])):
        flip(folder / "plots" / "nll.svg", position, position % 8)
        assert refusal(folder, "plots/nll.svg").startswith("damaged")
        flip(folder / "plots" / "nll.svg", position, position % 8)
    load_checkpoint(folder)


def test_a_missing_picture_is_refused_by_its_name(make_checkpoint):
    folder = make_checkpoint("bigram")
    replace_plots(folder, PLOTS)
    (folder / "plots" / "loss.svg").unlink()
    assert "No such file" in refusal(folder, "plots/loss.svg")


@pytest.mark.parametrize("name", ["plots/Loss.svg", "plots/loss.png", "notes.txt", "other/a.svg"])
def test_a_file_that_no_checkpoint_has_is_refused_where_the_manifest_names_it(
    name, make_checkpoint
):
    folder = make_checkpoint("bigram")
    files = {file: (folder / file).read_bytes() for file in FILES}
    if name == "plots/Loss.svg":  # not even written
        with pytest.raises(ValueError, match="not names of files"):
            write_folder(folder, files | {name: PLOTS["loss"]})
        return
    write_folder(folder, files | {name: PLOTS["loss"]})
    assert f"missing or unknown keys: {name}" in refusal(folder, "manifest.json")


def test_a_checkpoint_that_is_not_in_order_gets_no_pictures(make_checkpoint):
    folder = make_checkpoint("bigram")
    flip(folder / "model.safetensors", 200, 0)
    with pytest.raises(CheckpointError, match="damaged"):
        replace_plots(folder, PLOTS)
    assert not (folder / "plots").exists()


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


# ---------------------------------------------------------------- damage that hashes show


def flip(path: Path, position: int, bit: int) -> None:
    with path.open("r+b") as file:
        file.seek(position)
        (byte,) = file.read(1)
        file.seek(position)
        file.write(bytes([byte ^ 1 << bit]))


def test_1000_flipped_bits_are_refused_by_the_name_of_their_file(make_checkpoint):
    folder = make_checkpoint("transformer")
    dice = random.Random(0)
    names = sorted(FILES | {"manifest.json"})
    for i in range(1000):
        path = folder / names[i % len(names)]
        position, bit = dice.randrange(path.stat().st_size), dice.randrange(8)
        flip(path, position, bit)
        with pytest.raises(CheckpointError) as caught:
            load_checkpoint(folder)
        # A hash that was damaged in the manifest speaks of the file that it is of.
        assert caught.value.path == str(path) or path.name == "manifest.json"
        assert Path(caught.value.path).parent == folder
        flip(path, position, bit)
    load_checkpoint(folder)


def test_200_truncations_are_refused_by_the_name_of_their_file(make_checkpoint):
    folder = make_checkpoint("transformer")
    dice = random.Random(0)
    names = sorted(FILES | {"manifest.json"})
    for i in range(200):
        path = folder / names[i % len(names)]
        sound = path.read_bytes()
        left = dice.randrange(len(sound)) if i >= len(names) else 0
        os.truncate(path, left)
        cause = refusal(folder, path.name)
        if path.name != "manifest.json":
            assert cause == f"truncated: {left} of {len(sound)} bytes"
        path.write_bytes(sound)
    load_checkpoint(folder)


@pytest.mark.parametrize("name", sorted(FILES | {"manifest.json"}))
def test_a_missing_file_is_named(name, make_checkpoint):
    folder = make_checkpoint("bigram")
    (folder / name).unlink()
    assert "No such file" in refusal(folder, name)


# ---------------------------------------------------------------- damage with sound hashes


def edit(**changes: Any) -> Callable[[dict[str, Any]], None]:
    return lambda config: config.update(changes)


def edit_sizes(**changes: Any) -> Callable[[dict[str, Any]], None]:
    return lambda config: config["config"].update(changes)


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        (edit(architecture="elman"), "unknown architecture 'elman'; known: "),
        (edit(architecture=["bigram"]), "not a valid configuration"),
        (edit(architecture=None), "unknown architecture None"),
        (edit(schema=2), "schema 2 is not 1"),
        (edit(extra=1), "missing or unknown keys: extra"),
        (lambda config: config.pop("corpus"), "missing or unknown keys: corpus"),
        (edit(vocabulary="abcdef"), "vocab_size 8 does not fit a vocabulary of 7"),
        (edit(vocabulary="abcdefgh"), "vocab_size 8 does not fit a vocabulary of 9"),
        (edit(vocabulary="gfedcba"), "ascend without repeats"),
        (edit(vocabulary="aacdefg"), "ascend without repeats"),
        (edit(vocabulary=""), "at least one character"),
        (edit(vocabulary=7), "not a valid configuration"),
        (edit(vocabulary=["ab", "c"]), "single code points"),
        (edit(config=None), "not a valid configuration"),
        (edit(config={}), "missing or unknown hyperparameters"),
        (edit_sizes(n_heads=2), "missing or unknown hyperparameters: n_heads"),
        (lambda config: config["config"].pop("dropout"), "hyperparameters: dropout"),
        (edit_sizes(n_head=3), "n_embd 8 is no multiple of n_head 3"),
        (edit_sizes(n_head="2"), "n_head must be an integer"),
        (edit_sizes(n_layer=0), "n_layer must be an integer from 1 to 128, not 0"),
        (edit_sizes(n_embd=10**12), "n_embd must be an integer from 1 to 8192"),
        (edit_sizes(dropout=1.0), "dropout must be a number"),
        (edit_sizes(vocab_size=9), "vocab_size 9 does not fit a vocabulary of 8"),
    ],
)
def test_a_configuration_that_no_model_has_is_refused(change, cause, make_checkpoint):
    folder = make_checkpoint("transformer")
    edit_json(folder, "config.json", change)
    assert cause in refusal(folder, "config.json")


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"[]", b"null", b'"a"', b"NaN", b"\xff", b"[" * 100_000, b'{"schema": 1}'],
    ids=lambda data: repr(data[:16]),
)
def test_a_configuration_that_is_no_object_is_refused(data, make_checkpoint):
    folder = make_checkpoint("bigram")
    rewrite(folder, "config.json", data)
    assert refusal(folder, "config.json").startswith("not a valid configuration: ")


@pytest.mark.parametrize(
    "sizes",
    [
        {"n_layer": 3},
        {"n_layer": 1},
        {"n_embd": 16},
        {"block_size": 10},
        {"block_size": 4096, "n_layer": 128, "n_embd": 8192},  # 400 GB: nothing is allocated
    ],
    ids=str,
)
def test_weights_of_other_sizes_than_configured_are_refused(sizes, make_checkpoint):
    folder = make_checkpoint("transformer")
    edit_json(folder, "config.json", edit_sizes(**sizes))
    cause = refusal(folder, "model.safetensors")
    assert "missing or unknown tensors" in cause or "the model needs" in cause


def test_another_architectures_weights_are_refused(make_checkpoint):
    folder = make_checkpoint("transformer")
    edit_json(folder, "config.json", edit(architecture="bigram"))
    cause = refusal(folder, "model.safetensors")
    assert "missing or unknown tensors: blocks.0." in cause
    assert "counts" in cause


def put(name: str, make: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[Any], None]:
    def change(tensors: dict[str, torch.Tensor]) -> None:
        tensors[name] = make(tensors[name]).contiguous()

    return change


def with_one(value: float) -> Callable[[torch.Tensor], torch.Tensor]:
    def make(tensor: torch.Tensor) -> torch.Tensor:
        tensor.view(-1)[-1] = value
        return tensor

    return make


@pytest.mark.parametrize(
    ("architecture", "change", "cause"),
    [
        ("bigram", lambda t: t.pop("smoothing"), "missing or unknown tensors: smoothing"),
        ("bigram", lambda t: t.update(extra=torch.ones(1)), "unknown tensors: extra"),
        ("bigram", put("counts", lambda t: t[:, 1:]), r"torch.int64 (8, 7), the model needs"),
        ("bigram", put("counts", lambda t: t.flatten()), "torch.int64 (64,)"),
        ("bigram", put("counts", lambda t: t.float()), "torch.float32 (8, 8), the model needs"),
        ("bigram", put("counts", lambda t: t.int()), "torch.int32 (8, 8), the model needs"),
        ("bigram", put("counts", with_one(-1)), "counts holds negative counts"),
        ("bigram", put("smoothing", lambda t: t.double()), "smoothing is torch.float64 ()"),
        ("bigram", put("smoothing", lambda t: t.reshape(1)), "smoothing is torch.float32 (1,)"),
        ("bigram", put("smoothing", with_one(math.nan)), "smoothing holds NaN"),
        ("bigram", put("smoothing", with_one(math.inf)), "smoothing holds NaN or infinite"),
        ("transformer", lambda t: t.pop("blocks.1.attn.qkv.bias"), "blocks.1.attn.qkv.bias"),
        ("transformer", put("ln_f.bias", with_one(math.nan)), "ln_f.bias holds NaN"),
        ("transformer", put("lm_head.weight", with_one(-math.inf)), "lm_head.weight holds NaN or"),
        ("transformer", put("lm_head.weight", lambda t: t[:, :4]), "torch.float32 (8, 4)"),
        ("transformer", put("ln_f.bias", lambda t: t.half()), "torch.float16 (8,), the model"),
        ("transformer", put("ln_f.bias", lambda t: t.bfloat16()), "torch.bfloat16 (8,)"),
    ],
)
def test_tensors_that_are_not_the_models_are_refused(architecture, change, cause, make_checkpoint):
    folder = make_checkpoint(architecture)
    edit_tensors(folder, change)
    assert cause in refusal(folder, "model.safetensors")


def safetensors(dtype: str, size: int) -> bytes:
    """A file of one tensor `counts` of `size` bytes, which is called a `dtype`."""
    header = f'{{"counts":{{"dtype":"{dtype}","shape":[1],"data_offsets":[0,{size}]}}}}'
    return struct.pack("<Q", len(header)) + header.encode() + bytes(size)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0" * 7,
        b"\xff" * 8,
        struct.pack("<Q", 2**63) + b"{}",
        struct.pack("<Q", 2) + b"{}" + b"left over",
        struct.pack("<Q", 2) + b"[]",
        b"PK\x03\x04 a zip file of pickles",
        *(safetensors(dtype, size) for dtype, size in (("F32", 3), ("I64", 8), ("no", 1))),
        # Known to the format, but not, or not always, to torch.
        *(safetensors(dtype, 1) for dtype in ("F8_E8M0", "F8_E4M3", "BOOL")),
        *(safetensors(dtype, 8) for dtype in ("C64", "U64")),
    ],
    ids=lambda data: repr(data[8:48]),
)
def test_a_file_that_holds_no_such_tensors_is_refused(data, make_checkpoint):
    folder = make_checkpoint("bigram")
    rewrite(folder, "model.safetensors", data)
    assert refusal(folder, "model.safetensors")


# ---------------------------------------------------------------- known answers


@pytest.mark.parametrize("n_head", [1, 4, 8])
def test_the_right_weights_read_with_another_n_head_give_other_answers(n_head, make_checkpoint):
    folder = make_checkpoint("transformer", n_head=2)
    edit_json(folder, "config.json", edit_sizes(n_head=n_head))
    assert re.match("the NLL of '[a-g]+' is .*, recorded was ", refusal(folder, "reference.json"))


def test_the_right_weights_read_with_another_alphabet_give_no_answer(make_checkpoint):
    folder = make_checkpoint("bigram", alphabet="abcdefg")
    edit_json(folder, "config.json", edit(vocabulary="bcdefgh"))
    assert "U+0061" in refusal(folder, "reference.json")


def test_tensors_that_changed_places_give_other_answers(make_checkpoint):
    folder = make_checkpoint("transformer")

    def swap(tensors):
        first, second = "blocks.0.widen.weight", "blocks.1.widen.weight"
        tensors[first], tensors[second] = tensors[second], tensors[first]

    edit_tensors(folder, swap)
    assert "recorded was" in refusal(folder, "reference.json")


@pytest.mark.parametrize("nudge", [2 * REFERENCE_TOLERANCE, -2 * REFERENCE_TOLERANCE, math.pi])
def test_an_answer_that_is_not_the_known_one_is_refused(nudge, make_checkpoint):
    folder = make_checkpoint("transformer")
    edit_json(
        folder, "reference.json", lambda reference: reference.update(aba=reference["aba"] + nudge)
    )
    assert "the NLL of 'aba' is " in refusal(folder, "reference.json")


def test_rounding_is_no_damage(make_checkpoint):
    folder = make_checkpoint("transformer")
    edit_json(
        folder, "reference.json", lambda reference: reference.update(aba=reference["aba"] + 1e-9)
    )
    load_checkpoint(folder)


@pytest.mark.parametrize(
    "data",
    [
        b"{}",
        b"[]",
        b"null",
        b'["aba"]',
        b'{"aba": "2.5"}',
        b'{"aba": null}',
        b'{"aba": NaN}',
        b'{"aba": 1e999}',
        b'{"aba": 1' + b"0" * 400 + b"}",
        b'{"": 1.0}',
        b'{"abX": 1.0}',
        b'{"' + b"a" * 65 + b'": 1.0}',
        b"{",
        b"\xff",
        b"[" * 100_000,
    ],
    ids=lambda data: repr(data[:16]),
)
def test_a_reference_that_holds_no_known_answers_is_refused(data, make_checkpoint):
    folder = make_checkpoint("bigram")
    rewrite(folder, "reference.json", data)
    assert refusal(folder, "reference.json")


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("metrics.jsonl", b"{"),
        ("metrics.jsonl", b"\n"),
        ("metrics.jsonl", b'{"dev_nll": NaN}\n'),
        ("metrics.jsonl", b"[" * 100_000),
        ("metrics.jsonl", b'{"step": "\xff"}\n'),
        ("training_names.txt", b"a\n\xff\n"),
    ],
    ids=lambda value: repr(value[:16]),
)
def test_a_record_that_cannot_be_read_is_refused(name, data, make_checkpoint):
    folder = make_checkpoint("bigram")
    rewrite(folder, name, data)
    with pytest.raises(CheckpointError, match=re.escape(name)):
        load_checkpoint(folder)


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

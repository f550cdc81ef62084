"""Damage under sound hashes: a configuration, known answers or a record that cannot be right."""

import math
import re
from collections.abc import Callable
from typing import Any

import pytest

from models.checkpoint import load_checkpoint
from models.reference import REFERENCE_TOLERANCE
from tests.models.conftest import edit_json, edit_tensors, refusal, rewrite

# ---------------------------------------------------------------- configuration


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


# ---------------------------------------------------------------- known answers


@pytest.mark.parametrize("n_head", [1, 4, 8])
def test_the_right_weights_read_with_another_n_head_give_other_answers(n_head, make_checkpoint):
    folder = make_checkpoint("transformer", n_head=2)
    edit_json(folder, "config.json", edit_sizes(n_head=n_head))
    assert re.match("the NLL of '[a-g]+' is .*, recorded was ", refusal(folder, "reference.json"))


def test_the_right_weights_read_with_another_alphabet_give_no_answer(make_checkpoint):
    folder = make_checkpoint("bigram", alphabet="abcdefg")
    edit_json(folder, "config.json", edit(vocabulary="abcdefh"))
    assert "U+0067" in refusal(folder, "reference.json")
    edit_json(folder, "config.json", edit(vocabulary="bcdefgh"))
    assert "U+0061" in refusal(folder, "training_names.txt")


def test_tensors_that_changed_places_give_other_answers(make_checkpoint):
    folder = make_checkpoint("transformer")

    def swap(tensors):
        first, second = "blocks.0.widen.weight", "blocks.1.widen.weight"
        tensors[first], tensors[second] = tensors[second], tensors[first]

    edit_tensors(folder, swap)
    assert "recorded was" in refusal(folder, "reference.json")


@pytest.mark.parametrize("nudge", [8 * REFERENCE_TOLERANCE, -8 * REFERENCE_TOLERANCE, math.pi])
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
        ("metrics.jsonl", b"5\n"),
        ("metrics.jsonl", b'{"step": 1}\n[]\n'),
        ("training_names.txt", b"a\n\xff\n"),
        ("training_names.txt", b"a\nb"),
        ("training_names.txt", b"b\na\n"),
        ("training_names.txt", b"a\na\n"),
        ("training_names.txt", b"\na\n"),
        ("training_names.txt", b"a\nx\n"),
        ("training_names.txt", b"a\r\nb\r\n"),
    ],
    ids=lambda value: repr(value[:16]),
)
def test_a_record_that_cannot_be_read_is_refused(name, data, make_checkpoint):
    folder = make_checkpoint("bigram")
    rewrite(folder, name, data)
    assert refusal(folder, name)

from dataclasses import fields, replace

import pytest
import torch

from models.base import LanguageModel
from models.config import Member, ModelConfig
from models.errors import ConfigError
from models.registry import ARCHITECTURES, build_model

CONFIG = ModelConfig(block_size=4, vocab_size=5, n_layer=2, n_head=2, n_embd=8, n_embd2=8)


def config_of(architecture: str) -> ModelConfig:
    """CONFIG, with members or n-grams where they are needed."""
    members = (Member("rnn", CONFIG), Member("cnn", CONFIG))
    needed = {"mixture": {"members": members}, "ngram": {"n_grams": 30}}
    return replace(CONFIG, **needed.get(architecture, {}))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_built_model_is_in_training_mode_and_float32(architecture):
    config = config_of(architecture)
    model = build_model(architecture, config)
    assert isinstance(model, LanguageModel)
    assert model.training
    assert model.config is config
    floats = [tensor for tensor in model.state_dict().values() if tensor.is_floating_point()]
    assert {tensor.dtype for tensor in floats} == {torch.float32}
    assert model.device == torch.device("cpu")


def test_an_unknown_architecture_is_refused_by_a_message_that_names_the_known_ones():
    with pytest.raises(ConfigError, match="unknown architecture 'elman'; known: .*gru") as error:
        build_model("elman", CONFIG)
    assert all(name in str(error.value) for name in ARCHITECTURES)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_an_architecture_reads_only_the_hyperparameters_that_it_lists(architecture):
    listed = set(ARCHITECTURES[architecture].hyperparameters)
    every = {field.name for field in fields(ModelConfig)}
    assert listed <= every
    config = config_of(architecture)
    sizes = every - listed - {"dropout", "members"}
    changed = build_model(
        architecture, replace(config, **{n: 2 * getattr(CONFIG, n) for n in sizes})
    )
    shapes = {name: t.shape for name, t in build_model(architecture, config).state_dict().items()}
    assert {name: tensor.shape for name, tensor in changed.state_dict().items()} == shapes


def test_a_width_that_the_heads_do_not_divide_is_refused():
    with pytest.raises(ConfigError, match="n_embd 8 is no multiple of n_head 3"):
        build_model("transformer", replace(CONFIG, n_head=3))


@pytest.mark.parametrize(
    ("architecture", "sizes", "count"),
    [
        ("bigram", {}, 27 * 27),
        ("neural-bigram", {}, 27 * 27),
        # The notebooks of lectures 3 and 6 print these.
        ("mlp", {"block_size": 3, "n_embd": 10, "n_embd2": 200}, 11_897),
        ("cnn", {"block_size": 8, "n_embd": 24, "n_embd2": 128}, 76_579),
        # makemore's, with torch's second bias vector: 64 a matrix.
        ("rnn", {"n_embd": 64, "n_embd2": 64}, 11_803 + 64),
        ("gru", {"n_embd": 64, "n_embd2": 64}, 28_315 + 3 * 64),
        # makemore's README says 204,544 for this size.
        ("transformer", {"n_layer": 4, "n_head": 4, "n_embd": 64}, 204_544),
    ],
)
def test_parameter_count_is_the_published_one(architecture, sizes, count):
    config = ModelConfig(**({"block_size": 16, "vocab_size": 27} | sizes))
    assert build_model(architecture, config).parameter_count == count


def test_an_ngram_model_has_ngrams():
    with pytest.raises(ConfigError, match="n_grams is 0"):
        build_model("ngram", CONFIG)


def test_a_mixture_has_the_parameters_of_its_members_and_a_weight_each():
    config = replace(CONFIG, n_grams=30)
    members = (Member("rnn", CONFIG), Member("ngram", config))
    mixture = build_model("mixture", replace(CONFIG, members=members))
    rnn = build_model("rnn", CONFIG)
    assert mixture.parameter_count == rnn.parameter_count + 30 + 2

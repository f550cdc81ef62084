import math

import pytest

from models.config import MAX_MEMBERS, Member, ModelConfig
from models.errors import ConfigError

SMALL = {"block_size": 3, "vocab_size": 5}


def test_a_configuration_survives_the_way_through_a_dict():
    config = ModelConfig(8, 27, n_layer=4, n_head=2, n_embd=64, n_embd2=32, dropout=0.25)
    assert ModelConfig.from_dict(config.to_dict()) == config
    assert list(config.to_dict()) == [
        *("block_size", "vocab_size", "n_layer", "n_head", "n_embd", "n_embd2", "dropout")
    ]


@pytest.mark.parametrize("name", ["block_size", "n_layer", "n_head", "n_embd", "n_embd2"])
@pytest.mark.parametrize("value", [0, -1, 1.0, True, "4", None, math.nan, 10**9])
def test_a_size_that_is_no_positive_integer_within_bounds_is_refused(name, value):
    with pytest.raises(ConfigError, match=f"{name} must be an integer from 1 to [0-9]+, not "):
        ModelConfig(**SMALL | {name: value})


@pytest.mark.parametrize("value", [1, 0, 65537, 27.0, True])
def test_a_vocabulary_of_the_boundary_alone_or_too_large_a_one_is_refused(value):
    with pytest.raises(ConfigError, match="vocab_size must be an integer from 2 to 65536"):
        ModelConfig(**SMALL | {"vocab_size": value})


@pytest.mark.parametrize("value", [-0.1, 1, 1.5, math.nan, math.inf, "0.1", None, True])
def test_a_dropout_that_is_no_probability_below_1_is_refused(value):
    with pytest.raises(ConfigError, match="dropout must be a number from 0 to below 1"):
        ModelConfig(**SMALL, dropout=value)


def test_the_bounds_themselves_are_allowed():
    ModelConfig(1, 2, dropout=0)
    ModelConfig(4096, 65536, n_layer=128, n_head=256, n_embd=8192, n_embd2=32768, dropout=0.999)


@pytest.mark.parametrize(
    ("change", "odd"),
    [
        (lambda values: values.pop("n_embd2"), "n_embd2"),
        (lambda values: values.update(n_heads=4), "n_heads"),
    ],
    ids=["missing", "unknown"],
)
def test_a_dict_with_missing_or_unknown_hyperparameters_is_refused(change, odd):
    values = ModelConfig(**SMALL).to_dict()
    change(values)
    with pytest.raises(ConfigError, match=f"missing or unknown hyperparameters: {odd}$"):
        ModelConfig.from_dict(values)


def test_members_and_ngrams_survive_the_way_through_a_dict_and_are_left_out_where_there_are_none():
    plain = ModelConfig(**SMALL)
    counted = ModelConfig(**SMALL, n_grams=7)
    mixture = ModelConfig(**SMALL, members=(Member("gru", plain), Member("ngram", counted)))
    assert "members" not in counted.to_dict()
    assert "n_grams" not in plain.to_dict()
    for config in (counted, mixture):
        assert ModelConfig.from_dict(config.to_dict()) == config


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"members": []}, "members is empty; leave it out"),
        ({"n_grams": 0}, "n_grams is empty; leave it out"),
        ({"n_grams": -1}, "n_grams must be an integer from 0"),
        ({"n_grams": 1.5}, "n_grams must be an integer from 0"),
        ({"members": {"gru": {}}}, "members is a list"),
        ({"members": ["gru"]}, "a member has an architecture and a config"),
        ({"members": [{"architecture": "gru"}]}, "a member has an architecture and a config"),
        ({"members": [{"architecture": "gru", "config": 3}]}, "config is an object"),
        ({"members": [{"architecture": "gru", "config": {}}]}, "missing or unknown"),
    ],
)
def test_members_or_ngrams_that_are_none_are_refused(change, message):
    with pytest.raises(ConfigError, match=message):
        ModelConfig.from_dict(ModelConfig(**SMALL).to_dict() | change)


def test_mixtures_are_not_nested_nor_of_several_alphabets_nor_endless():
    plain = ModelConfig(**SMALL)
    mixture = ModelConfig(**SMALL, members=(Member("gru", plain),))
    values = mixture.to_dict()
    values["members"] = [{"architecture": "mixture", "config": mixture.to_dict()}]
    with pytest.raises(ConfigError, match="without members"):
        ModelConfig.from_dict(values)
    other = Member("gru", ModelConfig(block_size=3, vocab_size=6))
    with pytest.raises(ConfigError, match="the vocab_size of its mixture"):
        ModelConfig(**SMALL, members=(other,))
    with pytest.raises(ConfigError, match=f"{MAX_MEMBERS + 1} members"):
        ModelConfig(**SMALL, members=(Member("gru", plain),) * (MAX_MEMBERS + 1))

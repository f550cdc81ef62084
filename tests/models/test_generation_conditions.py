"""Lengths and prefixes: what they leave out; and which requests are refused."""

import pytest
import torch

from models.errors import ParameterError, UnknownCharacterError
from models.generation import generate
from models.request import MAX_OFFSET, GenerationRequest, Job
from models.rows import NAME_LIMIT, longest_name
from models.vocabulary import BOUNDARY
from tests.models.conftest import HOT, each_architecture, names_of

# ---------------------------------------------------------------- conditions


@each_architecture
@pytest.mark.parametrize("bounds", [(3, None), (1, 4), (3, 5), (4, 4), (8, 8)])
def test_length_limits_leave_out_names_and_change_none(architecture, bounds, make_model):
    served = make_model(architecture)
    shortest, longest = bounds
    everything = generate(*served, GenerationRequest(42, n=1000))
    request = GenerationRequest(42, n=30, min_length=shortest, max_length=longest)
    limited = generate(*served, request)
    expected = [
        drawn
        for drawn in everything.names
        if shortest <= len(drawn.name) <= (longest or longest_name(*served))
    ]
    assert limited.names
    assert list(limited.names)[: len(expected)] == expected[: len(limited.names)]


@each_architecture
def test_a_draw_without_a_character_is_no_name(architecture, make_model):
    served = make_model(architecture)
    generated = generate(*served, GenerationRequest(42, n=300))
    assert all(generated.names[i].name for i in range(300))
    assert generated.next_offset > 300  # there were such draws


def test_an_endless_model_gives_names_of_up_to_the_text_limit(chain):
    served = chain({"": "a", "a": "aaaaaaaaaaaaaaa."})
    generated = generate(*served, GenerationRequest(1, n=1000))
    lengths = {len(name) for name in names_of(generated)}
    assert max(lengths) == NAME_LIMIT == 64
    assert longest_name(*served) == NAME_LIMIT


@each_architecture
def test_every_name_begins_with_the_prefix(architecture, make_model):
    served = make_model(architecture)
    names = names_of(generate(*served, GenerationRequest(42, n=90, sampling=HOT, prefix="gab")))
    assert all(name.startswith("gab") for name in names)
    assert "gab" in names  # the prefix itself may be a name
    assert len(set(names)) > 10


@each_architecture
def test_a_prefix_of_exactly_max_length_leaves_the_end_alone_to_be_drawn(architecture, make_model):
    model, vocabulary = served = make_model(architecture)
    for prefix, max_length in (("abc", 3), ("abcdefga", None)):
        request = GenerationRequest(42, n=20, prefix=prefix, max_length=max_length)
        if max_length is None and longest_name(model, vocabulary) != len(prefix):
            continue  # the context slides
        generated = generate(*served, request)
        assert names_of(generated) == [prefix] * 20
        token_ids = torch.tensor([[BOUNDARY, *vocabulary.encode(prefix)]])
        end = float(model(token_ids)[0, -1].softmax(0)[BOUNDARY])
        # 20 successes took as many draws as they take on average, give or take 5 sigma.
        sigma = (20 * (1 - end)) ** 0.5 / end
        assert abs(generated.next_offset - 20 / end) < 5 * sigma


def test_a_prefix_is_read_in_nfc(make_model):
    served = make_model("bigram", alphabet="a\u00e9")
    composed = generate(*served, GenerationRequest(1, prefix="\u00e9"))
    assert generate(*served, GenerationRequest(1, prefix="e\u0301")) == composed


def test_a_prefix_that_the_model_holds_impossible_is_forced_at_an_infinite_nll(chain):
    served = chain({"": "a", "a": ".", "b": "."})
    generated = generate(*served, GenerationRequest(1, n=2, prefix="b"))
    assert [(drawn.name, drawn.nll) for drawn in generated.names] == [("b", float("inf"))] * 2


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("parameter", "values", "allowed"),
    [
        ("seed", {"seed": -1}, "0 to 18446744073709551615"),
        ("seed", {"seed": 2**64}, "0 to 18446744073709551615"),
        ("n", {"n": 0}, "1 to 10000"),
        ("n", {"n": 10_001}, "1 to 10000"),
        ("offset", {"offset": -1}, "0 to 9000000000000000"),
        ("offset", {"offset": 9 * 10**15 + 1}, "0 to 9000000000000000"),
        ("max_length", {"max_length": 0}, "1 to 8"),
        ("max_length", {"max_length": 9}, "1 to 8"),
        ("min_length", {"min_length": 0}, "1 to 8"),
        ("min_length", {"min_length": 9}, "1 to 8"),
        ("min_length", {"min_length": 4, "max_length": 3}, "1 to 3"),
        ("prefix", {"prefix": "abcdefgab"}, "0 to 8"),
        ("prefix", {"prefix": "abcd", "max_length": 3}, "0 to 3"),
    ],
    ids=str,
)
def test_a_value_out_of_range_is_refused_by_name_before_anything_is_drawn(
    parameter, values, allowed, make_model
):
    served = make_model("transformer")
    request = GenerationRequest(**{"seed": 1} | values)
    with pytest.raises(ParameterError, match=f"allowed: {allowed}") as caught:
        Job(request, *served)
    assert caught.value.parameter == parameter
    with pytest.raises(ParameterError):
        generate(*served, request)


def test_a_prefix_outside_the_alphabet_is_refused_with_its_position(make_model):
    with pytest.raises(UnknownCharacterError) as caught:
        Job(GenerationRequest(1, prefix="abX"), *make_model("transformer"))
    assert (caught.value.parameter, caught.value.position) == ("prefix", 2)


def test_the_largest_values_are_allowed(make_model):
    served = make_model("transformer")
    request = GenerationRequest(2**64 - 1, 1, MAX_OFFSET, prefix="abcdefga", min_length=8)
    assert names_of(generate(*served, request)) == ["abcdefga"]

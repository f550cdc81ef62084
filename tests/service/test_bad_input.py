"""Bad input on a real server: each is a 4xx of the one shape that names what is wrong.

Nothing here may be a 500, and nothing may hang. Here the parameters of /generate;
what else can be wrong is in the files beside this one.
"""

import httpx
import pytest

from models.request import MAX_NAMES, MAX_OFFSET
from models.rows import TEXT_LIMIT
from models.sampling import MAX_TEMPERATURE, MAX_TOP_K
from tests.service.conftest import assert_problem, get

INTEGERS = {
    "n": (1, MAX_NAMES),
    "offset": (0, MAX_OFFSET),
    "top_k": (1, MAX_TOP_K),
    "min_length": (1, TEXT_LIMIT),
    "max_length": (1, TEXT_LIMIT),
}
NUMBERS = {
    "temperature": ["-0.001", f"{MAX_TEMPERATURE + 0.001}"],
    "top_p": ["0", "-0.0", "1e-999", "-0.5", "1.001"],
    "min_p": ["-0.001", "1.001"],
}
NEVER_A_NUMBER = [
    "",
    " ",
    " 5",
    "5 ",
    "5\n",
    "1_000",
    "1,000",
    "٣",
    "５",
    "²",
    "0x5",
    "5n",
    "--5",
    "+",
    "true",
    "null",
    "None",
    "NaN",
    "nan",
    "Infinity",
    "-inf",
    "[5]",
    '"5"',
    "9" * 8_000,
    "ﬁve",
    "\ufffe",
    "😀",
]
NEVER_AN_INTEGER = [*NEVER_A_NUMBER, "5.0", "5.", ".5", "1e1", "1e999", "9" * 31]
NEVER_IN_RANGE = ["1e999", "-1e999", "9" * 30, ".", "e5", "1e", "1e1000", "1__0", "0x1p3"]
NEVER_A_BOOLEAN = ["", " true", "True", "TRUE", "yes", "on", "2", "5.0", "null", "１"]
NEVER_A_SEED = ["", "-1", "-5 ", str(2**64), "9" * 256, "x" * 257, "a\nb", "a\tb", "\x7f", "\x01"]


@pytest.mark.parametrize("parameter", INTEGERS)
def test_an_integer_of_the_wrong_type_names_itself_and_its_range(
    client: httpx.Client, parameter: str
) -> None:
    low, high = INTEGERS[parameter]
    for value in NEVER_AN_INTEGER:
        problem = assert_problem(get(client, "/generate", **{parameter: value}), 422, parameter)
        assert f"allowed: {low} to {high}" in problem["detail"], repr(value)


@pytest.mark.parametrize("parameter", INTEGERS)
def test_an_integer_beyond_a_bound_names_itself_and_its_range(
    client: httpx.Client, parameter: str
) -> None:
    low, high = INTEGERS[parameter]
    for value in (low - 1, high + 1, -(2**63), 2**64, 10**29):
        response = get(client, "/generate", **{parameter: str(value)})
        assert f"allowed: {low} to {high}" in assert_problem(response, 422, parameter)["detail"]


@pytest.mark.parametrize("parameter", NUMBERS)
def test_a_number_of_the_wrong_type_or_beyond_a_bound_names_itself_and_its_range(
    client: httpx.Client, parameter: str
) -> None:
    for value in [*NEVER_A_NUMBER, *NEVER_IN_RANGE, *NUMBERS[parameter]]:
        problem = assert_problem(get(client, "/generate", **{parameter: value}), 422, parameter)
        assert "allowed: " in problem["detail"], repr(value)


@pytest.mark.parametrize("value", NEVER_A_BOOLEAN)
def test_scores_takes_true_and_false_alone(client: httpx.Client, value: str) -> None:
    assert_problem(get(client, "/generate", scores=value), 422, "scores")


@pytest.mark.parametrize("value", NEVER_A_SEED)
def test_a_seed_out_of_range_or_with_control_characters_is_refused(
    client: httpx.Client, value: str
) -> None:
    assert_problem(get(client, "/generate", seed=value), 422, "seed")


@pytest.mark.parametrize(
    ("prefix", "position"),
    [("A", 0), ("emmA", 3), ("em ma", 2), ("é", 0), ("ae\u0301", 1), ("a😀", 1), ("a.", 1)],
)
def test_a_letter_outside_the_alphabet_is_named_with_its_position(
    client: httpx.Client, prefix: str, position: int
) -> None:
    for response, parameter in [
        (get(client, "/generate", prefix=prefix), "prefix"),
        (get(client, "/score", word=prefix), "word[0]"),
        (client.post("/score", json={"words": [prefix]}), "words[0]"),
    ]:
        detail = assert_problem(response, 422, parameter)["detail"]
        assert f"position {position} " in detail
        assert "abcdefghijklmnopqrstuvwxyz" in detail


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("min_length=5&max_length=4", "min_length"),
        ("prefix=emma&max_length=3", "prefix"),
        ("model=transformer&max_length=16", "max_length"),
        ("model=transformer&min_length=16", "min_length"),
        ("model=transformer&prefix=" + "a" * 16, "prefix"),
        ("model=bigram&prefix=" + "a" * 65, "prefix"),
    ],
)
def test_bounds_that_no_name_can_meet_are_refused(
    client: httpx.Client, query: str, parameter: str
) -> None:
    assert_problem(client.get(f"/generate?{query}"), 422, parameter)


def test_every_fault_of_a_query_is_listed(client: httpx.Client) -> None:
    problem = assert_problem(client.get("/generate?n=0&top_k=x&nope=1"), 422, "n")
    assert {error["parameter"] for error in problem["errors"]} == {"n", "top_k", "nope"}
    assert "2 more" in problem["detail"]

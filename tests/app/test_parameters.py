"""Types of query parameters: exactly what their documentation says, and nothing near it."""

import re
from typing import Annotated, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError

from app.parameters import Boolean, Integer, Number, SeedText
from models.randomness import SEED_TEXT_LIMIT, seed_from_text

HUNDRED = Integer(1, 100)
UNIT = Number(0, 1)
ABOVE_ZERO = Number(0, 1, above_low=True)

# What a person or a program might write for a number, and what resembles it.
numberlike = st.one_of(
    st.integers().map(str),
    st.floats().map(str),
    st.text("0123456789+-._eE ٣５\x00", max_size=12),
    st.text(max_size=12),
)


def refusal(kind: Integer | Number, text: object) -> str:
    with pytest.raises(PydanticCustomError) as caught:
        kind.parse(text)
    return caught.value.message()


@given(st.integers(1, 100))
def test_every_integer_of_the_range_is_taken(value: int) -> None:
    for text in (str(value), f"+{value}", f"000{value}"):
        assert HUNDRED.parse(text) == value


@given(numberlike)
@example("1_0")
@example("٣")
@example("5.0")
@example(" 5")
@example("5\n")
@example("")
@example("9" * 5000)
def test_an_integer_is_plain_digits_within_the_range_or_refused(text: str) -> None:
    unsigned = text[1:] if text[:1] in ("+", "-") else text
    plain = unsigned != "" and set(unsigned) <= set("0123456789") and len(unsigned) <= 30
    if plain and 1 <= int(text) <= 100:
        assert HUNDRED.parse(text) == int(text)
    else:
        assert "allowed: 1 to 100" in refusal(HUNDRED, text)


@given(st.floats(0, 1))
def test_every_number_of_the_range_is_taken(value: float) -> None:
    assert UNIT.parse(repr(value)) == value


@given(numberlike)
@example("nan")
@example("NaN")
@example("inf")
@example("Infinity")
@example("1e999")
@example("-1e999")
@example("1_0")
@example("٣")
@example(" 0.5")
@example("0.5\n")
@example("0x1p-1")
@example(".")
@example("e5")
@example("0." + "1" * 5000)
def test_a_number_is_finite_and_within_the_range_or_refused(text: str) -> None:
    if not re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", text, re.ASCII):
        assert "must be a number; allowed: 0 to 1" in refusal(UNIT, text)
    elif 0 <= float(text) <= 1 and len(text) <= 30:
        assert UNIT.parse(text) == float(text)
    elif not 0 <= float(text) <= 1:
        assert "allowed: 0 to 1" in refusal(UNIT, text)


@pytest.mark.parametrize("text", ["0", "-0", "0.0", "1e-999"])
def test_a_range_above_its_low_bound_excludes_it(text: str) -> None:
    assert "allowed: above 0 to 1" in refusal(ABOVE_ZERO, text)
    assert ABOVE_ZERO.parse("1e-30") == 1e-30


@pytest.mark.parametrize("value", [5, 5.0, True, None, [], ["5"], b"5"])
def test_only_text_is_parsed(value: object) -> None:
    refusal(HUNDRED, value)
    refusal(UNIT, value)
    with pytest.raises(ValidationError):
        TypeAdapter(Boolean).validate_python(value)


def test_a_boolean_is_true_or_false_or_a_digit() -> None:
    boolean = TypeAdapter(Boolean)
    assert [boolean.validate_python(text) for text in ("true", "1")] == [True] * 2
    assert [boolean.validate_python(text) for text in ("false", "0")] == [False] * 2
    for text in ("", "True", "FALSE", "yes", "on", " 1", "01", "١"):
        with pytest.raises(ValidationError, match="allowed: true, false, 1, 0"):
            boolean.validate_python(text)


@given(st.text(max_size=SEED_TEXT_LIMIT + 5))
@example("٣")
@example("\ud800")
@example("-0")
@example(" 5 ")
@example(str(2**64))
def test_a_seed_is_taken_as_it_came_and_has_a_value_or_is_refused(text: str) -> None:
    try:
        assert TypeAdapter(SeedText).validate_python(text) == text
    except ValidationError as error:
        fault = error.errors()[0]
        assert fault["type"] in ("parameter", "string_unicode")
        assert text in ("", "0") or text not in fault["msg"] or len(text) < 4
    else:
        assert 0 <= seed_from_text(text) < 2**64


@pytest.mark.parametrize(
    ("annotation", "schema"),
    [
        (Annotated[int, Integer(1, 100)], {"type": "integer", "minimum": 1, "maximum": 100}),
        (Annotated[float, Number(0, 10)], {"type": "number", "minimum": 0, "maximum": 10}),
        (
            Annotated[float, Number(0, 1, above_low=True)],
            {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
        ),
        (Boolean, {"type": "boolean"}),
        (SeedText, {"type": "string", "minLength": 1, "maxLength": 256}),
    ],
)
def test_the_range_is_documented_in_the_schema(annotation: Any, schema: dict[str, Any]) -> None:
    assert TypeAdapter(annotation).json_schema() == schema

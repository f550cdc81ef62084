"""Types of query parameters: strict, bounded and documented at once.

pydantic alone takes "5.0" and "1_000" for integers and "nan" for a number; here
a number is written in plain decimal digits, and every message gives the range.
"""

import re
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, PlainValidator, WithJsonSchema
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from models.errors import ParameterError
from models.randomness import SEED_TEXT_LIMIT, seed_from_text

_INTEGER = re.compile(r"[+-]?[0-9]{1,30}")
_NUMBER = re.compile(r"[+-]?([0-9]{1,30}(\.[0-9]{0,30})?|\.[0-9]{1,30})([eE][+-]?[0-9]{1,3})?")


def fault(message: str) -> PydanticCustomError:
    """A validation error that says `message`, whatever is in it."""
    return PydanticCustomError("parameter", "{message}", {"message": message})


@dataclass(frozen=True)
class Integer:
    """Marks an `Annotated[int, ...]`: decimal digits, from `low` to `high`."""

    low: int
    high: int

    def parse(self, text: object) -> int:
        """The value of a query's text; a `fault` where it has none."""
        if not isinstance(text, str) or not _INTEGER.fullmatch(text):
            raise fault(f"must be an integer; allowed: {self.low} to {self.high}")
        value = int(text)
        if not self.low <= value <= self.high:
            raise fault(f"is out of range; allowed: {self.low} to {self.high}")
        return value

    def __get_pydantic_core_schema__(self, _source: Any, _handler: Any) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.parse)

    def __get_pydantic_json_schema__(self, _schema: Any, _handler: Any) -> dict[str, Any]:
        return {"type": "integer", "minimum": self.low, "maximum": self.high}


@dataclass(frozen=True)
class Number:
    """Marks an `Annotated[float, ...]`: finite, from `low` (or above it) to `high`."""

    low: float
    high: float
    above_low: bool = False

    def parse(self, text: object) -> float:
        """The value of a query's text; a `fault` where it has none."""
        allowed = f"allowed: {'above ' if self.above_low else ''}{self.low:g} to {self.high:g}"
        if not isinstance(text, str) or not _NUMBER.fullmatch(text):
            raise fault(f"must be a number; {allowed}")
        value = float(text) + 0.0  # -0 becomes 0
        if not self.low <= value <= self.high or (self.above_low and value == self.low):
            raise fault(f"is out of range; {allowed}")
        if value == 0 and re.search("[1-9]", text.lower().partition("e")[0]):
            raise fault(f"is too small to tell from 0; {allowed}")
        return value

    def __get_pydantic_core_schema__(self, _source: Any, _handler: Any) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.parse)

    def __get_pydantic_json_schema__(self, _schema: Any, _handler: Any) -> dict[str, Any]:
        minimum = "exclusiveMinimum" if self.above_low else "minimum"
        return {"type": "number", minimum: self.low, "maximum": self.high}


PATH_TEXT = {"pattern": r"^[^\u0000-\u001f\u007f]+$"}
"""The JSON schema of a text in a path, which may hold no control characters."""


def _parse_boolean(text: object) -> bool:
    if text in ("true", "1"):
        return True
    if text in ("false", "0"):
        return False
    raise fault("must be a boolean; allowed: true, false, 1, 0")


def _check_seed_text(text: str) -> str:
    try:
        seed_from_text(text)
    except ParameterError as error:
        raise fault(error.message) from error
    return text


Boolean = Annotated[bool, BeforeValidator(_parse_boolean), WithJsonSchema({"type": "boolean"})]


def _check_text(value: object) -> str:
    if not isinstance(value, str):
        raise fault("must be a string")
    return value


Text = Annotated[str, PlainValidator(_check_text), WithJsonSchema({"type": "string"})]
"""Any string of JSON, lone surrogates too: for those who say themselves what is wrong with it."""

SeedText = Annotated[
    str,
    AfterValidator(_check_seed_text),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": SEED_TEXT_LIMIT}),
]
"""An integer from 0 to 2**64 - 1, or any other text, which is hashed."""

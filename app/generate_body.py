"""What POST /generate may be asked: the parameters of GET, of the types that JSON has."""

from typing import Annotated, Any, get_args

from pydantic import Field, ValidationInfo, WithJsonSchema, field_validator

from app.parameters import SeedText, fault
from app.schemas import GenerateQuery
from models.randomness import SEED_LIMIT, SEED_TEXT_LIMIT

_SEED_SCHEMA = {
    "anyOf": [
        {"type": "integer", "minimum": 0, "exclusiveMaximum": SEED_LIMIT},  # exact as a float
        {"type": "string", "minLength": 1, "maxLength": SEED_TEXT_LIMIT},
    ]
}


class _Misplaced:
    """Stands for a value of a type that JSON should not have there; no parser takes it."""


class GenerateBody(GenerateQuery):
    """Body of POST /generate. A value of the right type is read as it would be in a query."""

    seed: Annotated[SeedText, WithJsonSchema(_SEED_SCHEMA)] | None = Field(
        None,
        description="The stream: 0 to 2^64-1, or any text. Drawn at random if not given",
        examples=[42],
    )

    @field_validator("*", mode="before")
    @classmethod
    def _as_in_a_query(cls, value: object, info: ValidationInfo) -> object:
        if not isinstance(value, str | int | float):
            return value
        name = str(info.field_name)
        types = _json_types(cls.model_fields[name].annotation, name)
        if type(value) in types:
            return value if isinstance(value, str) else str(value).lower()
        if name == "seed":
            raise fault("must be an integer or a string")
        if types == {bool}:
            raise fault("must be a boolean; allowed: true, false")
        return _Misplaced()


def _json_types(annotation: Any, name: str) -> set[type]:
    """What JSON may have for a field, of str, int, float and bool."""
    types = _plain_types(annotation)
    if float in types or name == "seed":
        types.add(int)
    return types


def _plain_types(annotation: Any) -> set[type]:
    """The types in an annotation like `Annotated[int, ...] | None`."""
    if isinstance(annotation, str):  # of a Literal
        return {str}
    if annotation in (str, int, float, bool):
        return {annotation}
    return {found for part in get_args(annotation) for found in _plain_types(part)}

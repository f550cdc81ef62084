"""What GET /names/{key} may be asked, and what it answers."""

from typing import Annotated

from fastapi import Path
from pydantic import Field

from app.keys import KEY_LIMIT
from app.parameters import PATH_TEXT
from app.schemas import AppliedAnswer, ConditionsQuery, Fingerprint, ModelQuery

Key = Annotated[
    str,
    Path(
        description="Any text, percent-encoded; slashes need not be",
        examples=["customer/4711"],
        json_schema_extra=PATH_TEXT | {"minLength": 1, "maxLength": KEY_LIMIT},
    ),
]


class KeyQuery(ConditionsQuery, ModelQuery):
    """Parameters of GET /names/{key}."""

    fingerprint: Fingerprint | None = None


class KeyAnswer(AppliedAnswer):
    """A key's name, and everything needed to get it from /generate."""

    key: str = Field(description="In NFC")
    name: str
    seed: int | str = Field(description="Of the key; a string where JavaScript would round it")
    offset: int = Field(description="The name's index in the stream of that seed")

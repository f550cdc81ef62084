"""What schemathesis cannot know of this service."""

import json
import re
from typing import Any

import jsonschema_rs
import schemathesis

CONDITIONS = {"suffix", "contains", "pattern", "exclude"}
LONGEST_URL = 8000
STREAMED = 50
"""Names of the longest stream; the others of up to a million are as this one is."""

BEYOND_SCHEMAS = re.compile(
    "|".join(
        (
            r"is not in this model's alphabet",
            r"holds a NUL character",
            r"has no meaning for running text",
            # Of a text in NFC, by what the model can hold.
            r"has \d+ characters; allowed: ",
            r"is too long; allowed: 0 to \d+ characters",
            # Of several parameters together.
            r"\((max|min)_length\)",
            r"does not begin like prefix",
            r"rules out what \w+ demands",
            r"have no place in text",
            r"is of an event of another stream",
            r"is for streams",
            r"is not supported here; allowed: 1, n or null",
            # Lists in a text.
            r"has too many parts",
            r"has a part that is empty or too long",
            r"is no model of names|has a model twice",
            r"is out of range; allowed: 1 to \d+( \(model [\w-]+\))?$",
            r"is out of range; allowed: 1 to \d+ with so many prompts",
            r"is out of range; allowed: 0 to \d+, what the model can hold",
            r"is for \d+ tokens at most",
            # To JSON Schema 5.0 is an integer too.
            r"must be an integer( or a string$|; allowed: )",
            # A seed whose text reads as an integer, or does not. Of a JSON integer the schema has
            # the bound; schemathesis rounds it to a double and goes beyond.
            r"is out of range; allowed: 0 to 18446744073709551615",
            r"holds control characters or lone surrogates",
            r"is not the id of an event of this service",
            r"gives no name in \d+ draws",
        )
    )
)
"""Why a model, or parameters together, refuse what a schema of one parameter allows."""


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """Ask for no more than can be waited for.

    A stream gets an end where it has none, or a far one. Of running text no conditions are asked
    for: it is drawn until the deadline, in a stream for minutes.
    """
    del context, kwargs
    query = dict(case.query or {})
    if case.operation.definition.raw.get("operationId") == "stream":
        given = str(query.get("n", 10**6))
        if given.isdecimal() and STREAMED < int(given) <= 10**6:
            query["n"] = STREAMED
    asked = [query, case.body] if isinstance(case.body, dict) else [query]
    if any(each.get("model") == "korean-gpt" for each in asked):
        asked = [{key: each[key] for key in each.keys() - CONDITIONS} for each in asked]
    case.query, case.body = asked[0], asked[1] if len(asked) > 1 else case.body


@schemathesis.hook
def filter_failure(context: Any, failure: Any, case: Any, response: Any) -> bool:
    """A URL that is too long is refused as such: no schema bounds all parameters together."""
    del context, failure, case
    return not (len(response.request.url) > LONGEST_URL and response.status_code == 414)


@schemathesis.check
def refusals_are_of_what_no_schema_can_say(context: Any, response: Any, case: Any) -> None:
    """A 422 to what fits the schemas is for the model's sake, or that of several parameters."""
    del context
    if response.status_code != 422 or not case.meta or not case.meta.generation.mode.is_positive:
        return
    for error in response.json()["errors"]:
        assert BEYOND_SCHEMAS.search(error["message"]), error


@schemathesis.check
def every_line_is_as_described(context: Any, response: Any, case: Any) -> None:
    """A schema of JSON lines is that of a line; schemathesis has no way to say so."""
    del context
    if response.headers.get("content-type") != ["application/jsonl"]:
        return
    described = case.operation.definition.raw["responses"]["200"]["content"]["application/jsonl"]
    components = case.operation.schema.raw_schema["components"]
    validator = jsonschema_rs.validator_for(described["schema"] | {"components": components})
    for line in response.text.splitlines():
        validator.validate(json.loads(line))

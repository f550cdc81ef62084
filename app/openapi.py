"""The OpenAPI description: what FastAPI says of our routes, with errors as they are, and examples.

examples.json holds real answers; `python -m tests.golden` asks for them anew.
"""

import json
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

from app.access import is_open
from app.errors import MEDIA_TYPE
from app.openai_errors import error_member
from app.schemas import Problem

EXAMPLES = Path(__file__).parent / "examples.json"
"""By operation: {request, body, status, media_type, answer} each; `answer` is JSON or a text.
Under a status those that may come to any request."""

_ERRORS = {
    400: "The path, the query or the body is not UTF-8, the path holds control characters, or "
    "the body is not JSON",
    401: "The service has keys, and the request gives none of them",
    404: "No such model, or picture",
    406: "Accept takes none of the formats",
    408: "The request did not come to its end in time",
    409: "The model has another fingerprint",
    413: "The body is larger than the limit",
    414: "The URL is longer than 8 KiB",
    415: "The body is not sent as application/json",
    422: "A parameter is unknown, repeated, of the wrong type, out of range, or does not fit the "
    "model",
    429: "The caller asks more often than it may, where the service has rate limits",
    431: "The header fields are more than 64, or larger than 16 KiB",
    503: "Too many requests, or the service is ending",
    504: "It has taken longer than any request may",
}
TAGS = [
    {"name": "names", "description": "Draw names: by a seed, by a key, without end, side by side"},
    {"name": "scores", "description": "How likely a word is, and what comes next in it"},
    {"name": "models", "description": "What is served, how it was made, and how good it is"},
    {"name": "OpenAI", "description": "The shape that OpenAI's clients know"},
    {"name": "operations", "description": "For those who run the service"},
]
"""What the tags of routes stand for, in the order of the documentation."""
_RETRY_AFTER = {
    "description": "Seconds; where a later try may succeed",
    "schema": {"type": "integer", "minimum": 1},
}


def problems(*statuses: int, model: type[BaseModel] = Problem) -> dict[int | str, dict[str, Any]]:
    """`responses` of a route, for the errors of these statuses."""
    described: dict[int | str, dict[str, Any]] = {
        status: {"model": model, "description": _ERRORS[status]} for status in statuses
    }
    for status in described.keys() & {429, 503}:
        described[status]["headers"] = {"Retry-After": _RETRY_AFTER}
    return described


ANY_OPERATION = (400, 401, 408, 414, 422, 429, 431)
"""Statuses of errors that every operation can give."""
PROBLEM_RESPONSES = problems(*ANY_OPERATION)

NOT_MODIFIED: dict[int | str, dict[str, Any]] = {
    304: {"description": "The caller has it already: If-None-Match names its ETag"}
}
"""Of an operation whose answers have an ETag."""
_IF_NONE_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "description": "ETags of answers that the caller has: with one that still holds, a 304",
    "schema": {"type": "string", "title": "If-None-Match"},
}
_ETAG = {"description": "Names these very bytes", "schema": {"type": "string"}}


SECURITY_SCHEMES: dict[str, dict[str, Any]] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "A key of the service"},
    "header": {
        "type": "apiKey",
        "in": "header",
        "name": "X-API-Key",
        "description": "The same key, in a header of its own",
    },
}
"""How a key is given, where the service has keys."""

_CHALLENGE = {"description": "Bearer", "schema": {"type": "string"}}


class DescribedApp(FastAPI):
    """FastAPI, which files every model under application/json, put right for errors.

    Args:
        keyed: whether a key is needed; where it is not, it may be given.
        options: the framework's.
    """

    def __init__(self, *, keyed: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self._keyed = keyed

    def openapi(self) -> dict[str, Any]:
        """The description, made at the first call."""
        if self.openapi_schema is None:
            schema = super().openapi()
            examples = json.loads(EXAMPLES.read_text(encoding="utf-8"))
            schema["components"]["securitySchemes"] = SECURITY_SCHEMES
            either: list[dict[str, list[str]]] = [{name: []} for name in SECURITY_SCHEMES]
            schema["security"] = either if self._keyed else [*either, {}]
            for path, operations in schema["paths"].items():
                for operation in operations.values():
                    _complete(operation)
                    _secure(operation, is_open(path))
                    for example in _examples_of(operation, examples):
                        _add_example(operation, example)
        return super().openapi()


def _complete(operation: dict[str, Any]) -> None:
    """What goes without saying in routes: of errors the media type, of a 304 what it is about."""
    responses = operation["responses"]
    operation["responses"] = {status: responses[status] for status in sorted(responses)}
    for status, response in responses.items():
        if int(status) >= 400:
            response["content"] = {MEDIA_TYPE: response["content"]["application/json"]}
    if "304" in responses:
        operation.setdefault("parameters", []).append(_IF_NONE_MATCH)
        responses["200"].setdefault("headers", {})["ETag"] = _ETAG


def _secure(operation: dict[str, Any], is_open: bool) -> None:
    """Say that a key may be needed, or that none is."""
    if is_open:
        operation["security"] = []
        del operation["responses"]["401"], operation["responses"]["429"]
    else:
        operation["responses"]["401"]["headers"] = {"WWW-Authenticate": _CHALLENGE}


def _examples_of(
    operation: dict[str, Any], examples: dict[str, list[dict[str, Any]]]
) -> list[dict[str, Any]]:
    own = examples.get(operation["operationId"], [])
    refused = [
        each | {"request": "any request"}
        for status in operation["responses"]
        for each in examples.get(status, [])
    ]
    if "504" not in operation["responses"]:  # it does not ask the engine for work
        refused = [each for each in refused if each["status"] < 500]
    if "OpenAI" in operation["tags"]:
        refused = [
            each | {"answer": each["answer"] | {"error": error_member(each["answer"])}}
            for each in refused
        ]
    return own + refused


def _add_example(operation: dict[str, Any], example: dict[str, Any]) -> None:
    """To an answer, and where there is a body that is taken, to that of the request."""
    title = example["request"]
    content = operation["responses"][str(example["status"])]["content"]
    examples = content[example["media_type"]].setdefault("examples", {})
    examples[title] = {"summary": title, "value": example["answer"]}
    if example["status"] == 200 and example["body"] is not None:
        asked = operation["requestBody"]["content"]["application/json"]
        taken = asked.setdefault("examples", {})
        taken[f"{len(taken) + 1}"] = {"value": example["body"]}

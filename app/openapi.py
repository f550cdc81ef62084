"""The OpenAPI description: what FastAPI says of our routes, with errors as they are."""

from typing import Any

from fastapi import FastAPI

from app.access import is_open
from app.errors import MEDIA_TYPE
from app.schemas import Problem

PROBLEM_RESPONSES: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": Problem, "description": "The request is at fault"},
    "503": {"model": Problem, "description": "Too many requests; see Retry-After"},
    "504": {"model": Problem, "description": "It has taken longer than any request may"},
}
"""Errors that every operation can give."""


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

_UNAUTHORIZED = {
    "description": "The service has keys, and the request gives none of them",
    "headers": {
        "WWW-Authenticate": {"description": "Bearer", "schema": {"type": "string"}},
    },
}


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
            schema["components"]["securitySchemes"] = SECURITY_SCHEMES
            either: list[dict[str, list[str]]] = [{name: []} for name in SECURITY_SCHEMES]
            schema["security"] = either if self._keyed else [*either, {}]
            for path, operations in schema["paths"].items():
                for operation in operations.values():
                    for status in PROBLEM_RESPONSES:
                        content = operation["responses"][status]["content"]
                        content[MEDIA_TYPE] = content.pop("application/json")
                    if is_open(path):
                        operation["security"] = []
                    else:
                        operation["responses"]["401"] = (
                            operation["responses"]["4XX"] | _UNAUTHORIZED
                        )
        return super().openapi()

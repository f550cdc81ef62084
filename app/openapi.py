"""The OpenAPI description: what FastAPI says of our routes, with errors as they are."""

from typing import Any

from fastapi import FastAPI

from app.errors import MEDIA_TYPE
from app.schemas import Problem

PROBLEM_RESPONSES: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": Problem, "description": "The request is at fault"},
    "503": {"model": Problem, "description": "Too many requests; see Retry-After"},
    "504": {"model": Problem, "description": "It has taken longer than any request may"},
}
"""Errors that every operation can give."""


class DescribedApp(FastAPI):
    """FastAPI, which files every model under application/json, put right for errors."""

    def openapi(self) -> dict[str, Any]:
        """The description, made at the first call."""
        if self.openapi_schema is None:
            schema = super().openapi()
            for operations in schema["paths"].values():
                for operation in operations.values():
                    for status in PROBLEM_RESPONSES:
                        content = operation["responses"][status]["content"]
                        content[MEDIA_TYPE] = content.pop("application/json")
        return super().openapi()

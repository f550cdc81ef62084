"""Errors as users see them: one problem+json shape (RFC 9457) for all.

    {"type": "about:blank", "title": "Unprocessable Content", "status": 422,
     "detail": "top_k: is out of range; allowed: 1 to 65536",
     "errors": [{"parameter": "top_k", "message": "is out of range; ..."}],
     "request_id": "..."}

Under /v1 there is an `error` too, for OpenAI's clients. Nothing here repeats a caller's
input, but for parameter names, shortened.
"""

import json
import random
import re
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import Match

from app import openai_errors
from app.startup import StartupError
from models.errors import (
    CheckpointError,
    ConfigError,
    NamewrightError,
    ParameterError,
    WordListError,
)

MEDIA_TYPE = "application/problem+json"
CAUSE = "namewright.cause"
"""Key of a scope: in a word, why its request was refused or failed."""
RETRY_AFTER_S = (1, 3)
"""Between them, at random for each answer: those who were refused at once do not return at once."""

_TITLES = {  # as RFC 9110 has them; 499 is nginx's, and no client ever sees it
    413: "Content Too Large",
    414: "URI Too Long",
    422: "Unprocessable Content",
    499: "Client Closed Request",
}
_NAME_LIMIT = 64
_ERRORS_LIMIT = 10
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


class ModelNotFoundError(ParameterError):
    """No served model has this id.

    Args:
        parameter: where it was asked for.
        known: the ids that are served.
    """

    def __init__(self, parameter: str, known: tuple[str, ...]) -> None:
        super().__init__(parameter, f"no such model; served here: {', '.join(known)}")


class PlotNotFoundError(ParameterError):
    """A model has no picture of this name.

    Args:
        parameter: where it was asked for.
        known: the names of those it has.
    """

    def __init__(self, parameter: str, known: tuple[str, ...]) -> None:
        having = f"this model has {', '.join(known)}" if known else "this model has none"
        super().__init__(parameter, f"no such picture; {having}")


class FingerprintMismatchError(ParameterError):
    """A caller counts on another model than the one that is served.

    Args:
        model: its id.
        served: its fingerprint.
    """

    def __init__(self, model: str, served: str) -> None:
        super().__init__("fingerprint", f"is not that of {model}, which is {served}")


class NotAcceptableError(ParameterError):
    """An answer can be had, but in no format that the caller takes.

    Args:
        available: the media types that there are.
    """

    def __init__(self, available: tuple[str, ...]) -> None:
        super().__init__(
            "Accept", f"takes nothing that there is; available: {', '.join(available)}"
        )


class UnauthorizedError(NamewrightError):
    """The service has keys, and a request gives none that opens it.

    Args:
        detail: what is wrong, without what was given.
        given: whether anything was.
    """

    def __init__(self, detail: str, *, given: bool = False) -> None:
        super().__init__(detail)
        self.given = given


class OverloadedError(NamewrightError):
    """Too many requests wait already."""


class DeadlineExceededError(NamewrightError):
    """A request has taken longer than any may."""


class EngineStoppedError(NamewrightError):
    """The thread that draws and scores is not running; only a new process helps."""


class DeviceLostError(NamewrightError):
    """The device of a model has stopped working; what it was to do is not done."""


class DrainingError(NamewrightError):
    """The process is about to end: it still answers, but nothing new should be sent to it."""


class UnsupportedMediaTypeError(NamewrightError):
    """A body in another format than JSON."""


STATUS: dict[type[NamewrightError], int] = {
    UnauthorizedError: 401,
    ModelNotFoundError: 404,
    PlotNotFoundError: 404,
    NotAcceptableError: 406,
    FingerprintMismatchError: 409,
    UnsupportedMediaTypeError: 415,
    ParameterError: 422,
    DeviceLostError: 503,
    DrainingError: 503,
    OverloadedError: 503,
    EngineStoppedError: 503,
    DeadlineExceededError: 504,
    # These stop the start; a request that meets one has found a bug of ours.
    CheckpointError: 500,
    ConfigError: 500,
    StartupError: 500,
    WordListError: 500,
}
"""The status of every error; a subclass that is not listed has its parent's."""


def add_error_handlers(app: FastAPI) -> None:
    """Give every error of `app`, the framework's own included, the one shape."""
    app.add_exception_handler(NamewrightError, _on_namewright_error)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(Exception, _on_bug)


def problem(
    request: Request,
    status: int,
    detail: str,
    errors: list[dict[str, str]] | None = None,
    headers: dict[str, str] | None = None,
) -> JSONResponse:
    """A problem+json response; `errors` are {parameter, message} each."""
    request.scope.setdefault(CAUSE, f"http_{status}")
    content: dict[str, Any] = {
        "type": "about:blank",
        "title": _TITLES.get(status) or HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "errors": errors or [],
        "request_id": request.scope.get("request_id", ""),
    }
    if request.scope.get("path", "").startswith(openai_errors.PREFIX):
        content["error"] = openai_errors.error_member(content)
    return JSONResponse(content, status, headers, MEDIA_TYPE)


async def late_problem(request: Request, error: Exception) -> dict[str, Any]:
    """The one shape, for an error that comes when the answer has begun with another status."""
    on_error = _on_namewright_error if isinstance(error, NamewrightError) else _on_bug
    content: dict[str, Any] = json.loads(bytes((await on_error(request, error)).body))
    return content


def status_of(error: NamewrightError) -> int:
    """By the nearest listed ancestor."""
    return next(STATUS[cls] for cls in type(error).__mro__ if cls in STATUS)


async def _on_namewright_error(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, NamewrightError):
        raise error
    status = status_of(error)
    if status == 500:
        return await _on_bug(request, error)
    request.scope[CAUSE] = _cause(error)
    headers = {"Retry-After": str(random.randint(*RETRY_AFTER_S))} if status == 503 else None
    errors = []
    if isinstance(error, ParameterError):
        errors = [{"parameter": error.parameter, "message": error.message}]
    return problem(request, status, str(error), errors, headers)


async def _on_validation_error(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, RequestValidationError):
        raise error
    request.scope[CAUSE] = "parameter"
    errors = [
        {"parameter": _parameter(fault["loc"]), "message": _message(fault)}
        for fault in error.errors()
    ]
    detail = f"{errors[0]['parameter']}: {errors[0]['message']}"
    if len(errors) > 1:
        detail += f" (and {len(errors) - 1} more)"
    return problem(request, 422, detail, errors[:_ERRORS_LIMIT])


async def _on_http_exception(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, HTTPException):
        raise error
    headers = dict(error.headers or {})
    detail = error.detail
    if error.status_code == 404:
        detail = "nothing is at this path; see /docs for what there is"
    if error.status_code == 405:
        headers["Allow"] = ", ".join(_allowed_methods(request))
        detail = f"this path takes other methods: {headers['Allow']}"
    return problem(request, error.status_code, detail, headers=headers)


def _allowed_methods(request: Request) -> list[str]:
    """Of all routes of a path; the router itself only names those of the first."""
    allowed = []
    for method in _METHODS:
        scope = {**request.scope, "method": "GET" if method == "HEAD" else method}
        if any(route.matches(scope)[0] is Match.FULL for route in request.app.routes):
            allowed.append(method)
    return allowed


async def _on_bug(request: Request, error: Exception) -> JSONResponse:
    """The framework logs the traceback; the caller gets the id under which to ask."""
    request.scope[CAUSE] = "bug"
    del error
    return problem(request, 500, "an error of ours; please report it with the request_id")


def _cause(error: NamewrightError) -> str:
    """`deadline_exceeded` for a DeadlineExceededError."""
    return re.sub("(?<!^)(?=[A-Z])", "_", type(error).__name__.removesuffix("Error")).lower()


def _parameter(loc: tuple[int | str, ...]) -> str:
    """`words[3]` for ("body", "words", 3)."""
    name = ""
    for part in loc[1:]:
        name += f"[{part}]" if isinstance(part, int) else f".{part}" if name else part
    return shorten(name) if len(loc) > 1 else "body"


def shorten(name: str) -> str:
    """A caller's parameter name, short and safe to print and encode."""
    if not name:
        return "(no name)"
    safe = "".join(character if character.isprintable() else "?" for character in name)
    return safe if len(safe) <= _NAME_LIMIT else safe[: _NAME_LIMIT - 1] + "…"


def _message(fault: dict[str, Any]) -> str:
    """Our words for pydantic's commonest faults; its own, which never quote input, for others."""
    match fault["type"]:
        case "extra_forbidden":
            return "no such parameter"
        case "missing":
            return "is required"
        case "string_type" | "string_unicode":
            return "must be a string of Unicode characters"
        case "list_type":
            return "must be a list"
        case "too_short" | "too_long":
            low = fault["ctx"].get("min_length")
            allowed = f"at most {fault['ctx']['max_length']}" if low is None else f"at least {low}"
            return f"has the wrong number of items; allowed: {allowed}"
    return str(fault["msg"])

"""The table of errors: complete, and as documented."""

import asyncio
import importlib
import json
import pkgutil
from collections.abc import Iterator

import httpx
import pytest
from fastapi import FastAPI

import app
import models
from app.errors import (
    MEDIA_TYPE,
    STATUS,
    DeadlineExceededError,
    FingerprintMismatchError,
    ModelNotFoundError,
    NotAcceptableError,
    OverloadedError,
    PlotNotFoundError,
    StartupError,
    UnauthorizedError,
    UnsupportedMediaTypeError,
    add_error_handlers,
    shorten,
    status_of,
)
from app.main import create_app
from app.settings import Settings
from models.errors import (
    CheckpointError,
    ConfigError,
    NamewrightError,
    ParameterError,
    UnknownCharacterError,
)


def subclasses(cls: type[NamewrightError]) -> Iterator[type[NamewrightError]]:
    for child in cls.__subclasses__():
        yield child
        yield from subclasses(child)


def our_errors() -> list[type[NamewrightError]]:
    """Every error of the two packages, wherever in them it is defined."""
    for package in (models, app):
        for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    found = set(subclasses(NamewrightError))
    ours = [error for error in found if error.__module__.split(".")[0] in ("models", "app")]
    return sorted(ours, key=lambda error: error.__name__)


def test_every_error_of_ours_has_a_status() -> None:
    errors = our_errors()
    assert {ParameterError, OverloadedError, CheckpointError} < set(errors)
    for error in errors:
        # Constructors differ, and only the class counts.
        status = status_of(error.__new__(error))
        assert status in (400, 401, 404, 406, 409, 413, 415, 422, 429, 500, 503, 504), error


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (UnauthorizedError("x"), 401),
        (ModelNotFoundError("model", ("bigram",)), 404),
        (PlotNotFoundError("name", ()), 404),
        (NotAcceptableError(("a/b",)), 406),
        (FingerprintMismatchError("bigram", "x"), 409),
        (UnsupportedMediaTypeError("x"), 415),
        (ParameterError("n", "x"), 422),
        (UnknownCharacterError("word", "A", 0, "a"), 422),
        (OverloadedError("x"), 503),
        (DeadlineExceededError("x"), 504),
        (CheckpointError("x", "y"), 500),
        (ConfigError("x"), 500),
        (StartupError("x"), 500),
    ],
)
def test_errors_have_the_status_that_the_documentation_gives(
    error: NamewrightError, status: int
) -> None:
    assert status_of(error) == status


def test_no_error_is_listed_that_the_packages_do_not_have() -> None:
    assert set(STATUS) <= set(our_errors())


def test_a_caller_s_parameter_name_is_shortened_and_made_safe() -> None:
    assert shorten("top_k") == "top_k"
    assert len(shorten("x" * 100_000)) == 64
    unsafe = shorten("a\x00\n\r\x1b\ud800\u202eb")
    assert unsafe == "a??????b"
    unsafe.encode()


def test_those_who_are_refused_together_are_not_told_to_come_back_together() -> None:
    built = FastAPI()
    add_error_handlers(built)

    @built.get("/full")
    async def full() -> None:
        raise OverloadedError("full")

    async def ask() -> list[httpx.Response]:
        transport = httpx.ASGITransport(built)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return [await client.get("/full") for _ in range(100)]

    told = {response.headers["retry-after"] for response in asyncio.run(ask())}
    assert told == {"1", "2", "3"}


@pytest.fixture
def broken_app() -> FastAPI:
    """The application with two routes that have bugs."""
    built = create_app(Settings())

    @built.get("/broken")
    async def broken() -> None:
        raise RuntimeError("a secret of the server")

    @built.get("/misplaced")
    async def misplaced() -> None:
        raise CheckpointError("/a/path/of/the/server", "damaged")

    return built


@pytest.mark.parametrize("path", ["/broken", "/misplaced"])
def test_a_bug_of_ours_is_a_500_of_the_one_shape_and_tells_nothing_of_the_server(
    broken_app: FastAPI, path: str
) -> None:
    async def get() -> httpx.Response:
        transport = httpx.ASGITransport(broken_app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.get(path, headers={"X-Request-ID": "find-me"})

    response = asyncio.run(get())
    assert response.status_code == 500
    assert response.headers["content-type"] == MEDIA_TYPE
    assert json.loads(response.content) == {
        "type": "about:blank",
        "title": "Internal Server Error",
        "status": 500,
        "detail": "an error of ours; please report it with the request_id",
        "errors": [],
        "request_id": "find-me",
    }
    assert response.headers["x-request-id"] == "find-me"

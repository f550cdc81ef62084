"""A QueryRoute differs from a route of the framework in nothing that a caller can see."""

import asyncio
from typing import Annotated

import httpx
import pytest
from fastapi import Depends, FastAPI, Query, Request, Response
from fastapi.responses import JSONResponse

from app.dependencies import check_query
from app.errors import add_error_handlers
from app.query_route import QueryRoute
from app.schemas import GenerateQuery


async def echo(http: Request, query: Annotated[GenerateQuery, Query()]) -> Response:
    """Say what was understood."""
    return JSONResponse({"path": http.url.path} | query.model_dump())


def build(*, fast: bool) -> FastAPI:
    app = FastAPI(redirect_slashes=False)
    add_error_handlers(app)
    if fast:
        app.router.add_api_route("/echo", echo, methods=["GET"], route_class_override=QueryRoute)
    else:
        app.get("/echo", dependencies=[Depends(check_query())])(echo)
    return app


def ask(app: FastAPI, method: str, target: str) -> tuple[int, str | None, object]:
    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.request(method, target)

    response = asyncio.run(send())
    return response.status_code, response.headers.get("allow"), response.json()


@pytest.mark.parametrize(
    "query",
    [
        "",
        "n=20",
        "n=20&seed=42&offset=7&temperature=0.5&top_k=5&top_p=0.5&min_p=0.1&scores=true",
        "prefix=%ED%95%9C&max_length=9&model=bigram",
        "seed=a+b%26c",
        "prefix=",
        "n=",
        "n",
        "n=0",
        "n=5.0",
        "n=0&top_k=x&nope=1",
        "n=5&n=5",
        "n=5&n=5&seed=%00",
        "seed=%00",
        "seed=",
        "=5",
        "=5&=5",
        "N=5",
        "n%00=5",
        "&&n=5&",
        "n=5;seed=1",
        "scores=maybe",
        "temperature=nan",
    ],
)
def test_what_a_query_means_and_what_is_said_of_its_faults_is_the_same(query: str) -> None:
    fast, plain = (ask(build(fast=fast), "GET", f"/echo?{query}") for fast in (True, False))
    assert fast == plain


@pytest.mark.parametrize("method", ["POST", "OPTIONS", "DELETE"])
def test_other_methods_are_refused_as_ever(method: str) -> None:
    assert ask(build(fast=True), method, "/echo") == ask(build(fast=False), method, "/echo")


def test_it_is_documented_as_ever() -> None:
    assert build(fast=True).openapi() == build(fast=False).openapi()

"""Bad input on a real server: unknown models, parameters, paths and methods."""

from collections.abc import Iterator

import httpx
import pytest

from app.schemas import GenerateQuery
from app.score_schemas import ScoreQuery
from tests.exact import bundled_ids
from tests.service.conftest import Service, assert_problem, get, request

MODELS = bundled_ids("lines", "text")


def operations(client: httpx.Client) -> Iterator[tuple[str, str]]:
    """Every documented (method, path), so that a new route is covered from its first day."""
    for path, methods in client.get("/openapi.json").json()["paths"].items():
        for method in methods:
            yield method.upper(), path.replace("{model_id}", "bigram")


# ------------------------------------------------- models, unknown and repeated


@pytest.mark.parametrize("model", ["nope", "", "Bigram", "bigram ", "../bigram", "😀", "x" * 64])
def test_an_unknown_model_is_404_and_the_known_ones_are_named(
    client: httpx.Client, model: str
) -> None:
    responses = {
        "/generate": get(client, "/generate", model=model),
        "/score": get(client, "/score", model=model, word="emma"),
        "POST /score": client.post("/score", json={"words": ["emma"], "model": model}),
    }
    for response in responses.values():
        assert ", ".join(MODELS) in assert_problem(response, 404, "model")["detail"]


@pytest.mark.parametrize("model", ["nope", "Bigram", "%20", "😀", "x" * 2000])
def test_an_unknown_model_in_the_path_is_404_and_the_known_ones_are_named(
    client: httpx.Client, model: str
) -> None:
    problem = assert_problem(client.get(f"/models/{model}"), 404, "model_id")
    assert ", ".join(MODELS) in problem["detail"]


def test_a_model_id_longer_than_any_is_refused(client: httpx.Client) -> None:
    assert_problem(get(client, "/generate", model="x" * 65), 422, "model")
    assert_problem(get(client, "/score", model="x" * 65, word="emma"), 422, "model")


def test_an_unknown_parameter_is_refused_by_every_route(client: httpx.Client) -> None:
    for method, path in operations(client):
        body = {"json": {"words": ["emma"]}} if method == "POST" else {}
        for query in ("nope=1", "N=5", "nope", "n%00=5"):
            response = client.request(method, f"{path}?{query}", **body)  # type: ignore[arg-type]
            named = query.partition("=")[0].replace("%00", "?")
            required = path == "/score" and method == "GET"
            problem = assert_problem(response, 422, named)
            assert len(problem["errors"]) == (2 if required else 1), (method, path)


def test_a_known_parameter_is_refused_by_routes_that_do_not_have_it(client: httpx.Client) -> None:
    assert_problem(client.get("/models?model=bigram"), 422, "model")
    assert_problem(client.get("/generate?word=emma"), 422, "word")
    assert_problem(client.get("/score?word=emma&n=5"), 422, "n")
    assert_problem(client.post("/score?model=bigram", json={"words": ["emma"]}), 422, "model")


def test_a_parameter_without_a_name_is_not_taken_for_the_body(client: httpx.Client) -> None:
    for path in ("/generate?=5", "/livez?=5", "/generate?=5&=5"):
        response = client.get(path)
        named = {error["parameter"] for error in response.json()["errors"]}
        assert "body" not in named, path
        assert "" not in named, path
        assert response.status_code == 422


@pytest.mark.parametrize("parameter", GenerateQuery.model_fields)
def test_a_parameter_given_twice_is_refused(client: httpx.Client, parameter: str) -> None:
    problem = assert_problem(client.get(f"/generate?{parameter}=1&{parameter}=1"), 422, parameter)
    assert "2 times" in problem["detail"]


def test_only_word_may_be_repeated_by_score(client: httpx.Client) -> None:
    assert client.get("/score?word=emma&word=emma").status_code == 200
    for parameter in set(ScoreQuery.model_fields) - {"word"}:
        query = f"word=emma&{parameter}=bigram&{parameter}=bigram"
        assert_problem(client.get(f"/score?{query}"), 422, parameter)


# ------------------------------------------------------------ paths and methods


@pytest.mark.parametrize(
    "path", ["/nowhere", "//generate", "/generate/5", "/Generate", "/models/a/b", "/%2E%2E/x", "/*"]
)
def test_an_unknown_path_is_404(service: Service, path: str) -> None:
    assert_problem(request(service.port, path.encode()), 404)


def test_another_method_is_405_and_the_allowed_ones_are_named(client: httpx.Client) -> None:
    allowed: dict[str, set[str]] = {}
    for method, path in operations(client):
        allowed.setdefault(path, set()).add(method)
    assert allowed["/score"] == {"GET", "POST"}
    for path, methods in allowed.items():
        for method in {"POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"} - methods:
            response = client.request(method, path)
            assert_problem(response, 405)
            named = set(response.headers["allow"].split(", "))
            assert named - {"HEAD"} == methods, f"{method} {path}"

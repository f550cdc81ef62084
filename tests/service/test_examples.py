"""The examples of the OpenAPI description are what the service answers."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from app.main import create_app
from app.settings import Settings
from tests.golden.examples import PATH, REFUSED, REQUESTS, SERVED, VARYING
from tests.service.conftest import Serve, serving

STORED = json.loads(PATH.read_text(encoding="utf-8"))
STORED_IN_ORDER = [each for operation in STORED for each in STORED[operation]]
DESCRIBED = {
    operation["operationId"]: operation
    for operations in create_app(Settings()).openapi()["paths"].values()
    for operation in operations.values()
}
WITHOUT_CONTENT = {"204", "304"}
NOT_SHOWN = {
    ("plot", "200"),  # a picture
    ("metrics", "200"),  # other numbers each time
    ("livez", "503"),  # of an engine that has died
    ("readyz", "503"),  # of a process that ends
}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of the service whose answers the examples are."""
    with serving(tmp_path_factory.mktemp("examples") / "log", **SERVED) as service:
        yield service.client


def steady(value: Any) -> Any:
    """An answer without what depends on the time or the machine."""
    if isinstance(value, list):
        return [steady(each) for each in value]
    if isinstance(value, dict):
        return {key: steady(value[key]) for key in value.keys() - VARYING}
    if isinstance(value, str) and value.startswith("data: {"):
        return [steady(json.loads(line[6:])) for line in value.split("\n\n")[:-2]]
    return value


def test_each_request_has_its_answer() -> None:
    known = [operation for operation in STORED for _ in STORED[operation]]
    assert known == [each.operation for each in REQUESTS] + [str(status) for status in REFUSED]


@pytest.mark.parametrize("index", range(len(REQUESTS)), ids=lambda i: STORED_IN_ORDER[i]["request"])
def test_an_example_is_what_the_service_answers(served: httpx.Client, index: int) -> None:
    assert steady(REQUESTS[index].answer(served)) == steady(STORED_IN_ORDER[index])


@pytest.mark.parametrize("status", REFUSED)
def test_an_example_of_a_refusal_is_what_the_service_answers(serve: Serve, status: int) -> None:
    with serve(**SERVED, **REFUSED[status].settings) as service:
        assert [REFUSED[status].answer(service.client)] == STORED[str(status)]


@pytest.mark.parametrize("name", DESCRIBED)
def test_every_status_and_media_type_of_an_operation_has_an_example(name: str) -> None:
    for status, response in DESCRIBED[name]["responses"].items():
        if status not in WITHOUT_CONTENT and (name, status) not in NOT_SHOWN:
            for media_type, content in response["content"].items():
                assert content.get("examples"), f"{status} {media_type}"


@pytest.mark.parametrize("name", [name for name in DESCRIBED if "requestBody" in DESCRIBED[name]])
def test_every_body_has_an_example(name: str) -> None:
    assert DESCRIBED[name]["requestBody"]["content"]["application/json"]["examples"]

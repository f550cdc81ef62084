"""POST /generate on a real server: GET, with its parameters as JSON."""

import json

import httpx
import pytest

from app.schemas import GenerateQuery
from tests.service.conftest import JSON, assert_problem

GIVEN = {
    "n": 30,
    "seed": 42,
    "offset": 7,
    "model": "bigram",
    "temperature": 0.5,
    "top_k": 5,
    "top_p": 0.75,
    "min_p": 1e-3,
    "prefix": "ma",
    "min_length": 3,
    "max_length": 9,
    "scores": True,
}


def post(client: httpx.Client, body: object) -> httpx.Response:
    return client.post("/generate", content=json.dumps(body), headers=JSON)


def as_query(body: dict[str, object]) -> dict[str, str]:
    return {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in body.items()
        if value is not None
    }


@pytest.mark.parametrize(
    "body",
    [
        GIVEN,
        GIVEN | {"seed": "42"},
        GIVEN | {"seed": "emma 안녕"},
        GIVEN | {"seed": 2**64 - 1},
        GIVEN | {"temperature": 1, "top_p": 1, "min_p": 0, "scores": False},
        GIVEN | {"top_k": None, "top_p": None, "max_length": None, "fingerprint": None},
        GIVEN | {"format": "csv"},
        GIVEN | {"format": "jsonl", "scores": False},
        {"seed": 1, "model": "korean-gpt", "prefix": "조선은 ", "max_length": 40},
        {"seed": 1},
    ],
)
def test_post_answers_as_get_does(client: httpx.Client, body: dict[str, object]) -> None:
    got, posted = client.get("/generate", params=as_query(body)), post(client, body)
    assert posted.status_code == 200, posted.text
    assert posted.content == got.content
    its_own = {"date", "x-request-id", "cache-control", "etag"}  # GET alone is cached
    for response in (got, posted):
        for name in its_own:
            response.headers.pop(name, None)
    assert posted.headers == got.headers


def test_an_answer_s_own_parameters_give_it_again(client: httpx.Client) -> None:
    answer = post(client, {"n": 5, "top_k": 9}).json()
    echoed = {name: answer[name] for name in answer.keys() & GenerateQuery.model_fields.keys()}
    assert post(client, echoed).json() == answer


def test_an_empty_object_asks_for_ten_names(client: httpx.Client) -> None:
    assert len(post(client, {}).json()["names"]) == 10


def test_the_description_has_json_s_own_types(client: httpx.Client) -> None:
    described = client.get("/openapi.json").json()["components"]["schemas"]["GenerateBody"]
    fields = described["properties"]
    assert set(fields) == set(GenerateQuery.model_fields)
    assert fields["n"]["type"] == "integer"
    assert fields["scores"]["type"] == "boolean"
    integer, text, null = fields["seed"]["anyOf"]
    assert (integer["type"], integer["minimum"], integer["exclusiveMaximum"]) == (
        "integer",
        0,
        2**64,
    )
    assert (text["type"], null["type"]) == ("string", "null")


def test_accept_decides_here_too(client: httpx.Client) -> None:
    headers = JSON | {"Accept": "text/plain"}
    response = client.post("/generate", content=b'{"seed": 1, "n": 2}', headers=headers)
    assert response.text == client.get("/generate?seed=1&n=2&format=text").text
    headers = JSON | {"Accept": "image/png"}
    assert_problem(client.post("/generate", content=b"{}", headers=headers), 406, "Accept")


@pytest.mark.parametrize("name", ["n", "offset", "top_k", "min_length", "max_length"])
@pytest.mark.parametrize("value", ['"5"', "5.0", "true", "false", "[5]", "{}", "1e2", "9" * 31])
def test_an_integer_is_an_integer_of_json(client: httpx.Client, name: str, value: str) -> None:
    response = client.post("/generate", content=f'{{"{name}": {value}}}', headers=JSON)
    queried = assert_problem(client.get(f"/generate?{name}=x"), 422, name)
    assert assert_problem(response, 422, name)["detail"] == queried["detail"]


@pytest.mark.parametrize("name", ["temperature", "top_p", "min_p"])
@pytest.mark.parametrize("value", ['"0.5"', "true", "[0.5]", "1e999", "-1e999"])
def test_a_number_is_a_number_of_json(client: httpx.Client, name: str, value: str) -> None:
    response = client.post("/generate", content=f'{{"{name}": {value}}}', headers=JSON)
    queried = assert_problem(client.get(f"/generate?{name}=x"), 422, name)
    assert assert_problem(response, 422, name)["detail"] == queried["detail"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n", 0),
        ("n", 1001),
        ("n", None),
        ("offset", -1),
        ("offset", None),
        ("temperature", 10.5),
        ("temperature", None),
        ("top_p", 0),
        ("top_k", 0),
        ("max_length", 10**20),
        ("scores", 1),
        ("scores", "true"),
        ("scores", None),
        ("prefix", 5),
        ("prefix", ["a"]),
        ("prefix", None),
        ("prefix", "E"),
        ("prefix", "\ud800"),
        ("prefix", "a" * 100_000),
        ("model", 5),
        ("model", "x" * 65),
        ("seed", -1),
        ("seed", 2**64),
        ("seed", 5.0),
        ("seed", True),
        ("seed", ""),
        ("seed", [1]),
        ("seed", "a\nb"),
        ("format", "xml"),
        ("format", 5),
        ("fingerprint", ""),
        ("fingerprint", 5),
        ("word", "emma"),
        ("names", []),
    ],
)
def test_a_value_that_cannot_be_is_refused_under_its_name(
    client: httpx.Client, name: str, value: object
) -> None:
    assert_problem(post(client, {"model": "bigram", name: value}), 422, name)


def test_an_unknown_model_is_404_and_another_fingerprint_409(client: httpx.Client) -> None:
    assert_problem(post(client, {"model": "nope"}), 404, "model")
    assert_problem(post(client, {"fingerprint": "0" * 16}), 409, "fingerprint")


@pytest.mark.parametrize(
    "body", ["{", '{"n": NaN}', '{"n": 5, "n": 5}', '{"n": %s}' % ("9" * 5000)]
)
def test_what_is_not_standard_json_is_400(client: httpx.Client, body: str) -> None:
    assert_problem(client.post("/generate", content=body, headers=JSON), 400)


@pytest.mark.parametrize("body", ["[]", "5", "null", '"emma"', ""])
def test_what_is_no_object_is_refused(client: httpx.Client, body: str) -> None:
    assert_problem(client.post("/generate", content=body, headers=JSON), 422, "body")


def test_a_query_another_media_type_and_too_large_a_body_are_refused(
    client: httpx.Client,
) -> None:
    assert_problem(client.post("/generate?n=5", json={}), 422, "n")
    assert_problem(client.post("/generate", content=b"n=5"), 415)
    assert_problem(client.post("/generate", json={"prefix": "a" * 200_000}), 413)

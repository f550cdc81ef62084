"""GET /names/{key} on a real server."""

import hashlib
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from app.key_schemas import KeyAnswer
from tests.exact import bundled_ids
from tests.service.conftest import Serve, Service, assert_problem, request

EVERY_MODEL = pytest.mark.parametrize("model", bundled_ids("lines", "text"))

STRANGE_KEYS = [
    "42",
    "a b",
    "customer/4711",
    "/",
    "a//b/",
    "mail+tag@example.org",
    "100%",
    "a?b#c",
    "%2F",
    "안녕",
    "😀",
    "\u00a0",
    "x" * 256,
    "😀" * 256,
]


def name_of(client: httpx.Client, key: str, **parameters: object) -> dict[str, Any]:
    """The answer, checked against the documented model, with no field more or less."""
    query = {name: str(value) for name, value in parameters.items()}
    response = client.get(f"/names/{quote(key, safe='')}", params=query)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/json"
    KeyAnswer.model_validate_json(response.content, strict=True, extra="forbid")
    answer: dict[str, Any] = response.json()
    return answer


def replayed(client: httpx.Client, answer: dict[str, Any]) -> dict[str, Any]:
    """What /generate gives for everything that an answer says."""
    given = {key: value for key, value in answer.items() if value is not None}
    for name in ("key", "name", "fingerprint"):
        del given[name]
    response = client.get("/generate", params=given | {"n": 1})
    assert response.status_code == 200, response.text
    generated: dict[str, Any] = response.json()
    return generated


@EVERY_MODEL
def test_a_key_always_gets_the_same_name_and_generate_gives_it_too(
    client: httpx.Client, model: str
) -> None:
    given = {"model": model, "max_length": 15}
    answers = [name_of(client, f"user-{i}", **given) for i in range(8)]
    assert [name_of(client, f"user-{i}", **given) for i in range(8)] == answers
    assert len({answer["name"] for answer in answers}) > 4
    for i, answer in enumerate(answers):
        assert answer["key"] == f"user-{i}"
        assert answer["model"] == model
        generated = replayed(client, answer)
        assert generated["names"] == [answer["name"]]
        assert generated["next_offset"] == answer["offset"] + 1
        assert generated["fingerprint"] == answer["fingerprint"]


@EVERY_MODEL
def test_all_parameters_of_names_apply_and_are_echoed(client: httpx.Client, model: str) -> None:
    given = {
        "model": model,
        "temperature": 1.5,
        "top_k": 20,
        "top_p": 0.96875,
        "min_p": 0.0078125,
        "prefix": "한국" if model == "korean-gpt" else "ma",
        "min_length": 5,
        "max_length": 9,
    }
    offsets = set()
    for key in "abcdefghijkl":
        answer = name_of(client, key, **given)
        assert {name: answer[name] for name in given} == given
        assert answer["name"].startswith(str(given["prefix"]))
        assert 5 <= len(answer["name"]) <= 9
        assert replayed(client, answer)["names"] == [answer["name"]]
        offsets.add(answer["offset"])
    assert model == "korean-gpt" or offsets != {0}  # names of other lengths were passed over


@pytest.mark.parametrize("key", STRANGE_KEYS)
def test_any_text_is_a_key_and_comes_back(client: httpx.Client, key: str) -> None:
    answer = name_of(client, key, model="bigram")
    assert answer["key"] == key
    assert name_of(client, key, model="bigram") == answer
    assert replayed(client, answer)["names"] == [answer["name"]]


def test_keys_are_hashed_as_documented_and_apart_from_text_seeds(client: httpx.Client) -> None:
    for key in ("emma", "42", "customer/4711", "안녕"):
        answer = name_of(client, key, model="bigram")
        digest = hashlib.sha256(b"namewright /names\0" + key.encode()).digest()
        assert int(answer["seed"]) == int.from_bytes(digest[:8], "little")
        assert isinstance(answer["seed"], str) == (int(answer["seed"]) >= 2**53)
    keyed = [name_of(client, f"key-{i}", model="bigram")["name"] for i in range(20)]
    seeded = [
        client.get(f"/generate?model=bigram&n=1&seed=key-{i}").json()["names"][0] for i in range(20)
    ]
    assert keyed != seeded


def test_slashes_may_be_encoded_or_not(client: httpx.Client) -> None:
    plain = client.get("/names/a/b?model=bigram").json()
    assert client.get("/names/a%2Fb?model=bigram").json() == plain
    assert plain["key"] == "a/b"


def test_dots_are_a_key_where_the_client_leaves_them(service: Service) -> None:
    for key in (".", "..", "a/../b"):
        response = request(service.port, f"/names/{key}?model=bigram".encode())
        assert response.status_code == 200
        assert response.json()["key"] == key


def test_spellings_of_a_text_are_one_key_but_capitals_are_others(client: httpx.Client) -> None:
    composed, decomposed = (name_of(client, key) for key in ("caf\u00e9", "cafe\u0301"))
    assert composed == decomposed
    assert composed["key"] == "caf\u00e9"
    assert name_of(client, "Emma")["seed"] != name_of(client, "emma")["seed"]


def test_a_restarted_server_gives_a_key_the_same_name(client: httpx.Client, serve: Serve) -> None:
    models = bundled_ids("lines")
    before = [name_of(client, "emma", model=model) for model in models]
    with serve(TREE_MEMORY_MB=0) as restarted:
        assert [name_of(restarted.client, "emma", model=model) for model in models] == before


@pytest.mark.parametrize(
    ("key", "length"),
    [("", 0), ("x" * 257, 257), ("한" * 257, 257), ("x" * 8_000, 8_000)],
    ids=["empty", "257", "257 of three bytes", "8000"],
)
def test_a_key_of_the_wrong_length_is_refused(client: httpx.Client, key: str, length: int) -> None:
    problem = assert_problem(client.get(f"/names/{quote(key)}"), 422, "key")
    assert f"has {length} characters; allowed: 1 to 256" in problem["detail"]


def test_a_key_as_long_as_a_url_may_be_is_refused(service: Service) -> None:
    for unit in (b"x", b"%CC%81"):  # the second takes long to normalise
        key = unit * (8_184 // len(unit))
        problem = assert_problem(request(service.port, b"/names/" + key), 422, "key")
        assert f"has {8_184 // len(unit)} characters" in problem["detail"]


def test_a_key_of_a_megabyte_is_refused_and_the_next_one_served(service: Service) -> None:
    assert_problem(request(service.port, b"/names/" + b"x" * 2**20), 414)
    assert service.client.get("/names/x").status_code == 200


@pytest.mark.parametrize(
    ("target", "status"),
    [
        (b"/names/%FF", 400),
        (b"/names/%ED%A0%80", 400),  # a lone surrogate
        (b"/names/a%00b", 400),
        (b"/names/a%0A", 400),
        (b"/names", 404),
    ],
)
def test_what_is_no_text_is_refused(service: Service, target: bytes, status: int) -> None:
    assert_problem(request(service.port, target), status)


@pytest.mark.parametrize(
    ("query", "status", "parameter"),
    [
        ("n=1", 422, "n"),
        ("seed=1", 422, "seed"),
        ("offset=1", 422, "offset"),
        ("scores=true", 422, "scores"),
        ("key=x", 422, "key"),
        ("model=nope", 404, "model"),
        ("prefix=X", 422, "prefix"),
        ("model=transformer&max_length=16", 422, "max_length"),
        ("min_length=5&max_length=4", 422, "min_length"),
        ("prefix=emma&max_length=3", 422, "prefix"),
        ("top_k=0", 422, "top_k"),
    ],
)
def test_a_parameter_at_fault_is_named(
    client: httpx.Client, query: str, status: int, parameter: str
) -> None:
    assert_problem(client.get(f"/names/emma?{query}"), status, parameter)


def test_a_key_that_gives_no_name_within_the_budget_is_refused(client: httpx.Client) -> None:
    # The bigram's likeliest name is "a", which is too short, and it has no other.
    response = client.get("/names/emma?model=bigram&temperature=0&min_length=2")
    problem = assert_problem(response, 422, "key")
    assert "no name in 1010 draws" in problem["detail"]

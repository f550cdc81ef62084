"""GET /compare on a real server."""

from typing import Any

import httpx
import pytest

from app.compare_schemas import CompareAnswer
from tests.exact import bundled_ids
from tests.service.conftest import Serve, assert_problem, get
from tests.service.leaving import leave_under_way

MODELS = bundled_ids("lines")
ALONE = "/generate?model=bigram&n=1&seed=1"


def compare(client: httpx.Client, **parameters: object) -> dict[str, Any]:
    """The answer, checked against the documented model, with no field more or less."""
    query = {key: str(value) for key, value in parameters.items()}
    response = client.get("/compare", params=query)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/json"
    CompareAnswer.model_validate_json(response.content, strict=True, extra="forbid")
    answer: dict[str, Any] = response.json()
    return answer


@pytest.mark.parametrize(
    "given",
    [
        {"seed": 7, "n": 5},
        {"seed": "emma", "offset": 10**12, "n": 20, "temperature": 1.5, "top_k": 9},
        {"seed": 2**64 - 1, "prefix": "ma", "min_length": 5, "max_length": 9},
        {"seed": 3, "top_p": 0.75, "min_p": 0.125, "n": 1},
    ],
    ids=["plain", "sampling", "lengths", "one"],
)
def test_every_model_of_names_answers_as_generate_does(
    client: httpx.Client, given: dict[str, object]
) -> None:
    answer = compare(client, **given)
    assert [entry["model"] for entry in answer["models"]] == MODELS
    given = {"n": 5} | given
    for entry in answer["models"]:
        alone = get(client, "/generate", model=entry["model"], **_texts(given)).json()
        for key in ("names", "fingerprint", "max_length", "next_offset", "exhausted"):
            assert entry[key] == alone[key], (entry["model"], key)
        for key in set(answer) - {"models"}:
            assert answer[key] == alone[key], (entry["model"], key)


def _texts(given: dict[str, object]) -> dict[str, str]:
    return {key: str(value) for key, value in given.items()}


def test_models_come_in_the_order_of_the_list_whatever_the_order_asked(
    client: httpx.Client,
) -> None:
    answer = compare(client, seed=7, models="gru,bigram,transformer")
    assert [entry["model"] for entry in answer["models"]] == ["bigram", "gru", "transformer"]
    assert compare(client, seed=7, models="transformer,bigram,gru") == answer
    (only,) = compare(client, seed=7, models="gru")["models"]
    assert only == answer["models"][1]


def test_five_names_are_the_beginning_of_a_hundred(client: httpx.Client) -> None:
    five, hundred = (compare(client, seed=7, n=n, models="bigram,gru") for n in (5, 100))
    for few, many in zip(five["models"], hundred["models"], strict=True):
        assert few["names"] == many["names"][:5]
        assert len(many["names"]) == 100


def test_an_unseeded_comparison_is_replayed_by_its_seed(client: httpx.Client) -> None:
    drawn = compare(client, models="bigram,gru")
    assert type(drawn["seed"]) is int
    assert compare(client, models="bigram,gru", seed=drawn["seed"]) == drawn
    assert compare(client, models="bigram,gru")["seed"] != drawn["seed"]


def test_a_model_that_finds_fewer_says_so_beside_others(client: httpx.Client) -> None:
    # The bigram's likeliest name is "a", which is too short, and it has no other.
    given = {"temperature": 0, "min_length": 2}
    answer = compare(client, seed=1, n=2, models="bigram,gru", **given)
    bigram, gru = answer["models"]
    assert (bigram["exhausted"], bigram["names"], bigram["next_offset"]) == (True, [], 1020)
    assert (gru["exhausted"], len(gru["names"]), gru["next_offset"]) == (False, 2, 2)


@pytest.mark.parametrize(
    ("query", "status", "parameter"),
    [
        ("n=0", 422, "n"),
        ("n=101", 422, "n"),
        ("seed=-1", 422, "seed"),
        ("scores=true", 422, "scores"),
        ("model=gru", 422, "model"),
        ("models=", 404, "models"),
        ("models=nope", 404, "models"),
        ("models=bigram,", 404, "models"),
        ("models=bigram,%20gru", 404, "models"),
        ("models=" + "a," * 4_000, 404, "models"),
        ("models=bigram,bigram", 422, "models"),
        ("models=bigram&models=gru", 422, "models"),
        ("models=bigram,korean-gpt", 422, "models"),
        ("min_length=9&max_length=8", 422, "min_length"),
    ],
)
def test_a_parameter_at_fault_is_named(
    client: httpx.Client, query: str, status: int, parameter: str
) -> None:
    assert_problem(client.get(f"/compare?{query}"), status, parameter)


def test_what_does_not_fit_one_model_is_told_with_its_id(client: httpx.Client) -> None:
    for query, parameter, message in [
        ("models=bigram,transformer&max_length=64", "max_length", "1 to 15 (model transformer)"),
        ("prefix=" + "a" * 16, "prefix", "allowed: 0 to 15 (max_length) (model"),
        ("prefix=emM&models=gru", "prefix", "position 2 (U+004D)"),
    ]:
        problem = assert_problem(client.get(f"/compare?{query}&seed=1"), 422, parameter)
        assert message in problem["detail"]
    assert compare(client, models="bigram", max_length=64)["models"][0]["max_length"] == 64


def test_running_text_is_no_part_of_it(client: httpx.Client) -> None:
    problem = assert_problem(client.get("/compare?models=korean-gpt"), 422, "models")
    assert ", ".join(MODELS) in problem["detail"]


def test_a_service_of_running_text_alone_has_nothing_to_compare(serve: Serve) -> None:
    with serve(MODELS="korean-gpt", DEFAULT_MODEL="korean-gpt") as service:
        assert_problem(service.client.get("/compare"), 422, "models")


def test_a_queue_too_short_for_all_models_refuses_and_nothing_is_left_behind(
    serve: Serve,
) -> None:
    models = {"MODELS": "bigram,gru,mlp", "DEFAULT_MODEL": "bigram"}
    with serve(QUEUE_SIZE=2, **models) as service:
        client = service.client
        for _ in range(10):
            refused = client.get("/compare?n=100&seed=1")
            assert_problem(refused, 503)
            assert 1 <= int(refused.headers["retry-after"]) <= 3
            assert client.get(ALONE).status_code == 200
        both = compare(client, models="bigram,gru", seed=1, n=100)  # both places are free
        assert [len(entry["names"]) for entry in both["models"]] == [100, 100]


def test_a_fault_of_one_model_leaves_no_work_of_the_others(serve: Serve) -> None:
    with serve(QUEUE_SIZE=2, MODELS="bigram,transformer", DEFAULT_MODEL="bigram") as service:
        for _ in range(10):
            faulty = service.client.get("/compare?n=100&seed=1&max_length=64")
            assert_problem(faulty, 422, "max_length")
            compare(service.client, seed=1)  # takes both places


def test_a_client_that_goes_away_gives_all_its_places_to_others(serve: Serve) -> None:
    with serve(QUEUE_SIZE=3, MODELS="gru,rnn,transformer", DEFAULT_MODEL="gru") as service:
        probe = "/generate?seed=1&n=1"
        # A hundred names of exactly 15 characters of each: thousands of draws, for no one.
        leave_under_way(service, "/compare?n=100&min_length=15", probe)
        later = [service.client.get(probe).status_code for _ in range(100)]
        assert later[-1] == 200
        compare(service.client, seed=1, n=1)

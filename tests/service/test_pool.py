"""Answers from the pool, on a real server: any client can have each of them again."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import httpx
import pytest

from tests.service.conftest import START_LIMIT_S, Serve, serving

ALONE = {"MODELS": "bigram", "DEFAULT_MODEL": "bigram"}
UNSEEDED = "/generate?n=7"


def is_pooled(client: httpx.Client) -> bool:
    """Whether two answers, one after the other, are of one stream."""
    first, second = (client.get(UNSEEDED).json() for _ in range(2))
    return bool(first["seed"] == second["seed"] and first["next_offset"] == second["offset"])


def await_pool(client: httpx.Client) -> None:
    for _ in range(10 * START_LIMIT_S):
        if is_pooled(client):
            return
        time.sleep(0.1)  # it is filled while no request comes
    raise AssertionError("no answer came from the pool")


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of a service with a pool."""
    log = tmp_path_factory.mktemp("pool") / "log"
    with serving(log, POOL_NAMES=5000, **ALONE) as running:
        yield running.client


def test_an_answer_from_the_pool_is_given_again_byte_for_byte(client: httpx.Client) -> None:
    await_pool(client)
    answers = [client.get(f"/generate?n={n}") for n in (1, 20, 1000, 3)]
    answers += [client.get(f"/generate?n={n}&model=bigram") for n in (5, 10)]
    answers.append(client.get("/generate"))
    for response in answers:
        assert response.headers["content-type"] == "application/json"
        answer = response.json()
        again = f"/generate?n={answer['n']}&seed={answer['seed']}&offset={answer['offset']}"
        assert client.get(again).content == response.content


def test_no_two_of_many_clients_get_the_same_names(client: httpx.Client) -> None:
    await_pool(client)
    with ThreadPoolExecutor(16) as crowd:
        answers: list[dict[str, Any]] = list(
            crowd.map(lambda _: client.get(UNSEEDED).json(), range(600))
        )
    spans = sorted((str(each["seed"]), each["offset"], each["next_offset"]) for each in answers)
    assert len({seed for seed, _, _ in spans}) < len(spans), "none came from the pool"
    for (seed, _, end), (next_seed, begin, _) in pairwise(spans):
        assert seed != next_seed or end <= begin


@pytest.mark.parametrize(
    "parameter",
    ["offset=0", "temperature=1", "min_length=1", "prefix=", "scores=false", "top_p=1"],
)
def test_a_request_that_gives_any_parameter_has_a_stream_of_its_own(
    client: httpx.Client, parameter: str
) -> None:
    await_pool(client)
    answers = [client.get(f"{UNSEEDED}&{parameter}").json() for _ in range(10)]
    assert len({answer["seed"] for answer in answers}) == 10
    assert {answer["offset"] for answer in answers} == {0}


def test_without_a_pool_every_answer_has_a_stream_of_its_own(serve: Serve) -> None:
    with serve(POOL_NAMES=0, **ALONE) as service:
        answers = [service.client.get(UNSEEDED).json() for _ in range(100)]
        assert len({answer["seed"] for answer in answers}) == 100
        assert {answer["offset"] for answer in answers} == {0}

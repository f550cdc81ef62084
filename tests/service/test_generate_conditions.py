"""Conditions on the names of GET /generate, on a real server."""

import json
import re

import httpx
import pytest

from tests.service.test_generate import MODELS, generate


@pytest.fixture(params=MODELS)
def model(request: pytest.FixtureRequest) -> str:
    model_id: str = request.param
    return model_id


def test_every_name_begins_with_the_prefix(client: httpx.Client, model: str) -> None:
    names = generate(client, model=model, seed=1, n=50, prefix="xz")["names"]
    assert len(names) == 50
    assert all(name.startswith("xz") for name in names)


def test_a_prefix_as_long_as_a_name_may_be_is_that_name(client: httpx.Client, model: str) -> None:
    longest = client.get(f"/models/{model}").json()["max_length"]
    given = {"model": model, "prefix": "anna", "max_length": 4, "n": 5, "seed": 3}
    assert generate(client, **given)["names"] == ["anna"] * 5
    # As many characters as the model can hold. It may never end there within the
    # budget of draws, and must say so then.
    answer = generate(client, model=model, prefix="a" * longest, n=1, seed=3)
    assert answer["names"] == ["a" * longest] * (not answer["exhausted"])


def test_every_name_has_a_length_within_the_bounds(client: httpx.Client, model: str) -> None:
    given = {"model": model, "seed": 1, "n": 200, "min_length": 5, "max_length": 6}
    names = generate(client, **given)["names"]
    assert len(names) == 200
    assert {len(name) for name in names} == {5, 6}


def test_the_acceptance_rate_is_the_share_of_indexes_that_gave_a_name(
    client: httpx.Client, model: str
) -> None:
    answer = generate(client, model=model, seed=1, n=100, min_length=7)
    assert answer["acceptance_rate"] == 100 / answer["next_offset"]


def test_a_budget_that_ends_first_gives_what_was_found_and_says_so(client: httpx.Client) -> None:
    given = {"model": "bigram", "min_length": 30, "n": 20, "seed": 1, "scores": "true"}
    answer = generate(client, **given)
    assert answer["exhausted"]
    assert 0 < len(answer["names"]) < 20
    assert answer["next_offset"] == 10 * 20 + 1000
    longer = generate(client, **(given | {"n": 1000}))
    assert longer["names"][: len(answer["names"])] == answer["names"]


def test_names_meet_every_condition_in_an_answer_and_in_a_stream(client: httpx.Client) -> None:
    given = {"seed": 7, "n": 50, "pattern": "?a*", "suffix": "n", "exclude": "y,dd"}
    answer = generate(client, **given, novel="true")
    assert len(answer["names"]) == 50
    assert all(re.fullmatch(r".a.*n", name) for name in answer["names"])
    assert not any("y" in name or "dd" in name for name in answer["names"])
    lines = client.get("/generate/stream", params=given | {"novel": "true"}).text.splitlines()
    streamed = [json.loads(line) for line in lines]
    assert [each["name"] for each in streamed[:-1]] == answer["names"]
    assert streamed[-1]["novel"] is answer["novel"] is True
    scores = client.post("/score", json={"words": answer["names"]}).json()["results"]
    assert not any(each["in_training"] for each in scores)


def test_unique_names_are_different(client: httpx.Client) -> None:
    given = {"model": "bigram", "seed": 7, "n": 300, "max_length": 3}
    assert len(set(generate(client, **given)["names"])) < 300
    unique = generate(client, **given, unique="true")
    assert len(set(unique["names"])) == len(unique["names"]) == 300
    assert unique["unique"] is True


def test_conditions_that_are_too_rare_end_with_the_budget(client: httpx.Client) -> None:
    given = {"model": "bigram", "seed": 7, "n": 50, "pattern": "?q", "unique": "true"}
    answer = generate(client, **given)
    assert answer["exhausted"] is True
    assert 5 < len(answer["names"]) <= 26
    assert answer["next_offset"] == 51_500
    assert answer["acceptance_rate"] == len(answer["names"]) / 51_500


def test_names_that_rejection_would_never_find_come_from_a_bigram_all_the_same(
    client: httpx.Client,
) -> None:
    given = {"model": "bigram", "seed": 7, "pattern": "*qq*qq*", "scores": "true"}
    answer = generate(client, **given, n=1000)  # one draw of 850 million would do
    assert answer["exhausted"] is False
    assert (answer["next_offset"], answer["acceptance_rate"]) == (1000, 1)
    names = [each["name"] for each in answer["names"]]
    assert len(names) == 1000
    assert all(re.fullmatch(".*qq.*qq.*", name) for name in names)
    assert generate(client, **given, n=20)["names"] == answer["names"][:20]
    later = generate(client, **given, n=30, offset=500)
    assert later["names"] == answer["names"][500:530]
    scored = client.post("/score", json={"model": "bigram", "words": names}).json()["results"]
    assert [each["nll"] for each in scored] == [each["nll"] for each in answer["names"]]


def test_a_stream_of_rare_names_goes_on_and_one_of_none_ends(client: httpx.Client) -> None:
    given = {"model": "bigram", "seed": 7, "n": 3000, "pattern": "*qq*qq*"}
    lines = client.get("/generate/stream", params=given).text.splitlines()
    assert len(lines) == 3001
    assert json.loads(lines[-1])["end"] == "complete"
    none = {"model": "bigram", "seed": 7, "top_k": 1, "pattern": "*qq*"}
    (last,) = client.get("/generate/stream", params=none).text.splitlines()
    assert json.loads(last)["end"] == "exhausted"
    assert generate(client, **none)["next_offset"] == 51_100

"""GET /next on a real server."""

import math
from typing import Any

import httpx
import numpy as np
import pytest

from app.next_schemas import NextAnswer
from models.sampling import SamplingParams, probabilities
from tests.exact import bundled_ids
from tests.service.conftest import Serve, assert_problem

WORDS = {"lines": "zamorel", "text": "나는 학교에"}
KINDS = {model: kind for kind in WORDS for model in bundled_ids(kind)}
EVERY_MODEL = pytest.mark.parametrize("model", KINDS)


def predict(client: httpx.Client, **parameters: object) -> dict[str, Any]:
    """The answer, checked against the documented model, with no field more or less."""
    response = client.get("/next", params={key: str(value) for key, value in parameters.items()})
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/json"
    NextAnswer.model_validate_json(response.content, strict=True, extra="forbid")
    answer: dict[str, Any] = response.json()
    return answer


def as_mapping(answer: dict[str, Any]) -> dict[str, tuple[float, float | None]]:
    """Each character's probability and NLL."""
    characters = answer["characters"]
    found = {entry["character"]: (entry["probability"], entry["nll"]) for entry in characters}
    assert len(found) == len(characters), "a character is there twice"
    return found


@EVERY_MODEL
def test_values_are_those_of_every_character_of_a_score(client: httpx.Client, model: str) -> None:
    word = WORDS[KINDS[model]]
    response = client.get("/score", params={"word": word, "model": model})
    scored = response.json()["results"][0]["characters"]
    for i, one in enumerate(scored):
        answer = predict(client, model=model, prefix=word[:i])
        found = as_mapping(answer)
        assert found[one["character"]] == (one["probability"], one["nll"])
        better = [probability for probability, _ in found.values()]
        assert one["rank"] == 1 + sum(probability > one["probability"] for probability in better)


@EVERY_MODEL
@pytest.mark.parametrize("position", [0, 1, 5])
def test_probabilities_of_all_the_alphabet_fall_and_sum_to_1(
    client: httpx.Client, model: str, position: int
) -> None:
    found = as_mapping(predict(client, model=model, prefix=WORDS[KINDS[model]][:position]))
    alphabet = client.get(f"/models/{model}").json()["vocabulary"]["characters"]
    assert set(found) == set(alphabet) | ({""} if KINDS[model] == "lines" else set())
    probs = [probability for probability, _ in found.values()]
    assert probs == sorted(probs, reverse=True)
    assert math.fsum(probs) == pytest.approx(1, abs=1e-6)


@EVERY_MODEL
@pytest.mark.parametrize(
    "sampling",
    [
        SamplingParams(0.5),
        SamplingParams(0),
        SamplingParams(1.5, top_k=3),
        SamplingParams(top_p=0.75),
        SamplingParams(2.0, 9, 0.9, 0.125),
    ],
    ids=str,
)
def test_sampling_parameters_reshape_it_as_they_do_what_is_drawn(
    client: httpx.Client, model: str, sampling: SamplingParams
) -> None:
    given = {key: value for key, value in vars(sampling).items() if value is not None}
    asked = {"model": model, "prefix": WORDS[KINDS[model]][:2]}
    answer = predict(client, **asked, **given)
    assert {key: answer[key] for key in vars(sampling)} == vars(sampling)
    plain = as_mapping(predict(client, **asked))
    characters = sorted(plain)  # as the ids are, the end first
    log_probs = [-math.inf if plain[c][1] is None else -plain[c][1] for c in characters]
    if KINDS[model] == "text":  # the model's row has the end, which cannot come
        characters, log_probs = ["", *characters], [-math.inf, *log_probs]
    expected = probabilities(np.array([log_probs]), sampling)[0].tolist()
    found = as_mapping(answer)
    for character, probability in zip(characters, expected, strict=True):
        if character or KINDS[model] == "lines":
            assert found[character][0] == probability
            assert (found[character][1] is None) == (probability == 0)


@EVERY_MODEL
def test_top_gives_the_first_of_them(client: httpx.Client, model: str) -> None:
    given = {"model": model, "prefix": WORDS[KINDS[model]][:1], "temperature": 0.8}
    whole = predict(client, **given)
    assert whole["top"] is None
    for top in (1, 3, 65536):
        answer = predict(client, top=top, **given)
        assert answer["characters"] == whole["characters"][:top]
        assert answer["top"] == top


def test_an_empty_prefix_is_the_beginning_of_names(client: httpx.Client) -> None:
    answer = predict(client, model="bigram")
    assert answer["prefix"] == ""
    assert answer == predict(client, model="bigram", prefix="")
    # Karpathy's lecture: 4,410 of 32,033 names begin with a; and one was added to each count.
    assert as_mapping(answer)["a"][0] == pytest.approx(4411 / 32060, rel=1e-6)


def test_a_character_without_probability_has_no_nll(client: httpx.Client) -> None:
    characters = predict(client, prefix="em", top_k=1)["characters"]
    assert (characters[0]["probability"], characters[0]["nll"]) == (1, 0)
    assert {(entry["probability"], entry["nll"]) for entry in characters[1:]} == {(0, None)}


def test_a_prefix_is_echoed_in_nfc(client: httpx.Client) -> None:
    composed = predict(client, model="korean-gpt", prefix="한국", top=5)
    decomposed = predict(client, model="korean-gpt", prefix="\u1112\u1161\u11ab국", top=5)
    assert decomposed == composed
    assert decomposed["prefix"] == "한국"


@EVERY_MODEL
def test_the_last_prefix_that_leaves_room_is_predicted_from_and_no_longer_one(
    client: httpx.Client, model: str
) -> None:
    character = WORDS[KINDS[model]][0]
    longest = client.get(f"/models/{model}").json()["max_length"]
    predict(client, model=model, prefix=character * (longest - 1), top=1)
    for length in (longest, longest + 1, 800):
        response = client.get("/next", params={"model": model, "prefix": character * length})
        detail = assert_problem(response, 422, "prefix")["detail"]
        assert f"has {length} characters; allowed: 0 to {longest - 1}," in detail


@pytest.mark.parametrize(
    ("query", "status", "parameter"),
    [
        ("prefix=emM", 422, "prefix"),
        ("prefix=em%20", 422, "prefix"),
        ("prefix=em%00", 422, "prefix"),
        ("model=korean-gpt&prefix=%09", 422, "prefix"),
        ("prefix=e&prefix=m", 422, "prefix"),
        ("model=nope", 404, "model"),
        ("top=0", 422, "top"),
        ("top=65537", 422, "top"),
        ("temperature=11", 422, "temperature"),
        ("top_p=0", 422, "top_p"),
        ("seed=1", 422, "seed"),
    ],
)
def test_what_cannot_be_predicted_is_refused_by_name(
    client: httpx.Client, query: str, status: int, parameter: str
) -> None:
    assert_problem(client.get(f"/next?{query}"), status, parameter)


def test_values_do_not_depend_on_what_the_tree_holds(client: httpx.Client, serve: Serve) -> None:
    asked = [f"/next?model={model}&prefix=mari" for model in bundled_ids("lines")]
    with serve(TREE_MEMORY_MB=0, POOL_NAMES=0) as bare:
        for path in asked:
            assert bare.client.get(path).content == client.get(path).content

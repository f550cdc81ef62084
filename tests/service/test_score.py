"""GET and POST /score on a real server."""

import math
from typing import Any

import httpx
import pytest

from app.score_schemas import ScoreAnswer
from tests.service.test_generate import MODELS


def checked(response: httpx.Response) -> dict[str, Any]:
    """The answer, checked against the documented model, with no field more or less."""
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/json"
    ScoreAnswer.model_validate_json(response.content, strict=True, extra="forbid")
    answer: dict[str, Any] = response.json()
    return answer


def score(client: httpx.Client, *words: str, model: str) -> list[dict[str, Any]]:
    answer = checked(client.get("/score", params={"word": list(words), "model": model}))
    assert answer["model"] == model
    results: list[dict[str, Any]] = answer["results"]
    return results


def test_andrejq_has_the_nll_of_the_lecture(client: httpx.Client) -> None:
    answer = checked(client.get("/score?word=andrejq&model=bigram"))
    assert round(answer["results"][0]["nll_per_char"], 4) == 3.4834


@pytest.mark.parametrize("model", MODELS)
def test_characters_joined_are_the_word_and_their_nlls_its_nll(
    client: httpx.Client, model: str
) -> None:
    for result in score(client, "andrejq", "a", "zzzzzzzz", model=model):
        characters = result["characters"]
        assert "".join(character["character"] for character in characters) == result["word"]
        assert characters[-1]["character"] == ""
        assert len(characters) == len(result["word"]) + 1
        assert sum(character["nll"] for character in characters) == pytest.approx(result["nll"])
        for character in characters:
            assert math.exp(-character["nll"]) == pytest.approx(character["probability"])
            assert 1 <= character["rank"] <= 27


@pytest.mark.parametrize("model", MODELS)
def test_the_units_of_a_score_agree(client: httpx.Client, model: str) -> None:
    (result,) = score(client, "emma", model=model)
    per_char = result["nll_per_char"]
    assert per_char == pytest.approx(result["nll"] / 5)
    assert result["perplexity"] == pytest.approx(math.exp(per_char))
    assert result["bits_per_char"] == pytest.approx(per_char / math.log(2))


@pytest.mark.parametrize("model", MODELS)
def test_a_word_scores_the_same_whatever_else_is_asked(client: httpx.Client, model: str) -> None:
    alone = score(client, "olivia", model=model)
    crowd = score(client, *["ava", "olivia", "isabella"] * 30, model=model)
    assert [result for result in crowd if result["word"] == "olivia"] == alone * 30


def test_repeated_words_are_answered_in_order_as_often_as_asked(client: httpx.Client) -> None:
    words = ["emma", "ava", "emma", "emma"]
    assert [result["word"] for result in score(client, *words, model="bigram")] == words


@pytest.mark.parametrize("model", MODELS)
def test_post_answers_as_get_does(client: httpx.Client, model: str) -> None:
    words = ["emma", "andrejq", "emma"]
    got = checked(client.get("/score", params={"word": words, "model": model}))
    posted = checked(client.post("/score", json={"words": words, "model": model}))
    assert posted == got


def test_no_model_and_null_are_the_default_model(client: httpx.Client) -> None:
    words = ["emma"]
    answers = [
        checked(client.get("/score?word=emma")),
        checked(client.post("/score", json={"words": words})),
        checked(client.post("/score", json={"words": words, "model": None})),
        checked(client.post("/score", json={"words": words, "model": "gru-ngram"})),
    ]
    assert answers == answers[:1] * 4


def test_training_names_are_told_from_others(client: httpx.Client) -> None:
    found = score(client, "emma", "andrejq", model="bigram")
    assert [result["in_training"] for result in found] == [True, False]


def test_a_thousand_words_are_scored_in_one_request(client: httpx.Client) -> None:
    names = client.get("/generate?n=1000&seed=1").json()["names"]
    answer = checked(client.post("/score", json={"words": names}))
    assert [result["word"] for result in answer["results"]] == names


@pytest.mark.parametrize("model", MODELS)
def test_the_longest_word_is_scored(client: httpx.Client, model: str) -> None:
    longest = client.get(f"/models/{model}").json()["max_length"]
    (result,) = score(client, "a" * longest, model=model)
    assert len(result["characters"]) == longest + 1


def test_a_media_type_may_be_spelled_in_capitals_and_have_parameters(client: httpx.Client) -> None:
    headers = {"Content-Type": "Application/JSON; charset=utf-8"}
    checked(client.post("/score", content=b'{"words": ["emma"]}', headers=headers))

"""GET and POST /score on a real server."""

import math
from typing import Any

import httpx
import pytest

from app.score_schemas import ScoreAnswer
from tests.exact import bundled
from tests.service.conftest import JSON, assert_problem
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


# ---------------------------------------------------------------- percentiles


@pytest.mark.parametrize("model", MODELS)
def test_a_likely_name_has_a_higher_percentile_than_no_name_at_all(
    client: httpx.Client, model: str
) -> None:
    likely, odd = score(client, "anna", "xqzjvk", model=model)
    assert odd["percentile"] == {"overall": 0.0, "like_length": 0.0}
    assert 50 < likely["percentile"]["overall"] <= 100
    assert 50 < likely["percentile"]["like_length"] <= 100


@pytest.mark.parametrize("model", MODELS)
def test_percentiles_are_those_of_the_checkpoint_to_one_digit(
    client: httpx.Client, model: str
) -> None:
    among = bundled(model).held_out
    assert among is not None
    names = client.get("/generate?n=200&seed=3&temperature=1.5").json()["names"]
    for result in score(client, *{name[:15] for name in names}, model=model):
        exact = among.percentiles(len(result["word"]), result["nll_per_char"])
        assert result["percentile"] == {
            "overall": round(exact.overall, 1),
            "like_length": round(exact.like_length, 1),
        }


# ---------------------------------------------------------------- words that cannot be scored

ALPHABET = "abcdefghijklmnopqrstuvwxyz"
FAULTY = [
    ("Emma", "Emma", f"position 0 (U+0045) is not in this model's alphabet; allowed: {ALPHABET}"),
    ("zoe\u0308", "zoe\u0308", "position 2 (U+00EB)"),
    ("a\U0001f600", "a\U0001f600", "position 1 (U+1F600)"),
    ("a\tb", "a?b", "position 1 (U+0009)"),
    ("", "", "has 0 characters; allowed: 1 to 64"),
    ("b" * 65, "b" * 63 + "\u2026", "has 65 characters; allowed: 1 to 64"),
    ("\u3042" * 9999, "\u3042" * 63 + "\u2026", "has 9999 characters; allowed: 1 to 64"),
]


@pytest.mark.parametrize(("word", "shown", "message"), FAULTY, ids=lambda text: text[:8])
def test_a_word_at_fault_has_an_error_in_its_place_and_the_others_their_scores(
    client: httpx.Client, word: str, shown: str, message: str
) -> None:
    words = ["emma", word, "ava", word]
    emma, ava = score(client, "emma", "ava", model="bigram")
    posted = checked(client.post("/score", json={"words": words, "model": "bigram"}))
    answers = [(posted["results"], "words")]
    if len(word) < 100:
        answers.append((score(client, *words, model="bigram"), "word"))
    for results, parameter in answers:
        assert [results[0], results[2]] == [emma, ava]
        for place in (1, 3):
            assert set(results[place]) == {"word", "error"}
            assert results[place]["word"] == shown
            assert set(results[place]["error"]) == {"parameter", "message"}
            assert results[place]["error"]["parameter"] == f"{parameter}[{place}]"
            assert message in results[place]["error"]["message"]


def test_a_lone_surrogate_among_words_has_an_error_in_its_place(client: httpx.Client) -> None:
    body = b'{"words": ["emma", "a\\ud800", "\\udc00\\ud800"], "model": "bigram"}'
    answer = checked(client.post("/score", content=body, headers=JSON))
    emma, first, second = answer["results"]
    assert emma == score(client, "emma", model="bigram")[0]
    assert (first["word"], second["word"]) == ("a?", "??")
    assert "position 1 (U+D800)" in first["error"]["message"]
    assert "position 0 (U+DC00)" in second["error"]["message"]


def test_several_words_all_at_fault_have_an_error_each(client: httpx.Client) -> None:
    words = ["A", "B"] * 500
    answer = checked(client.post("/score", json={"words": words}))
    assert [result["word"] for result in answer["results"]] == words
    parameters = [result["error"]["parameter"] for result in answer["results"]]
    assert parameters == [f"words[{place}]" for place in range(1000)]


@pytest.mark.parametrize(("word", "shown", "message"), FAULTY, ids=lambda text: text[:8])
def test_a_word_at_fault_alone_is_a_422(
    client: httpx.Client, word: str, shown: str, message: str
) -> None:
    del shown
    body = {"words": [word], "model": "bigram"}
    posted = assert_problem(client.post("/score", json=body), 422, "words[0]")
    assert message in posted["detail"]
    if len(word) < 100:
        response = client.get("/score", params={"word": word, "model": "bigram"})
        assert message in assert_problem(response, 422, "word[0]")["detail"]


def test_what_is_no_word_refuses_the_whole_list(client: httpx.Client) -> None:
    for value in (5, None, True, ["emma"], {"a": 1}):
        response = client.post("/score", json={"words": ["emma", value, "A"]})
        assert_problem(response, 422, "words[1]")

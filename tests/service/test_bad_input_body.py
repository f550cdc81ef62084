"""Bad input on a real server: bodies."""

import json

import httpx
import pytest

from app.score_schemas import MAX_WORDS
from tests.service.conftest import JSON, assert_problem, get, post

DEEP = 100_000


@pytest.mark.parametrize(
    "body",
    [
        "{",
        "emma",
        "'emma'",
        '{"words": ["emma"]',
        '{"words": ["emma"]} x',
        '{"words": ["emma",]}',
        "{words: ['emma']}",
        '{"words": ["em\nma"]}',
        " ",
        "words=emma",
        "undefined",
    ],
)
def test_a_body_that_is_not_json_is_400(client: httpx.Client, body: str) -> None:
    assert "not JSON" in assert_problem(post(client, body), 400)["detail"]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_nan_and_infinity_are_no_json(client: httpx.Client, number: str) -> None:
    for body in (number, f'{{"words": [{number}]}}', f'{{"words": ["emma"], "x": {number}}}'):
        assert number.lstrip("-") in assert_problem(post(client, body), 400)["detail"]


@pytest.mark.parametrize("number", ["1e999", "-1e999", "true", "5", "5.0", "null", "[]", "{}"])
def test_what_is_no_string_is_named_where_a_string_belongs(
    client: httpx.Client, number: str
) -> None:
    assert_problem(post(client, f'{{"words": ["emma", {number}]}}'), 422, "words[1]")
    if number != "null":  # null asks for the default model
        assert_problem(post(client, f'{{"words": ["emma"], "model": {number}}}'), 422, "model")
    assert_problem(post(client, f'{{"words": ["emma"], "x": {number}}}'), 422, "x")


@pytest.mark.parametrize("value", ['"emma"', "5", "true", "null", '{"0": "emma"}', "[]"])
def test_words_must_be_a_list_that_is_not_empty(client: httpx.Client, value: str) -> None:
    assert_problem(post(client, f'{{"words": {value}}}'), 422, "words")


@pytest.mark.parametrize("body", ["[]", '["emma"]', "5", "5.0", "null", "true", '"emma"', "1e999"])
def test_json_that_is_no_object_is_refused(client: httpx.Client, body: str) -> None:
    assert_problem(post(client, body), 422, "body")


def test_a_body_without_words_names_them(client: httpx.Client) -> None:
    assert_problem(post(client, "{}"), 422, "words")
    assert_problem(post(client, '{"model": "bigram"}'), 422, "words")
    assert_problem(client.get("/score"), 422, "word")
    assert_problem(client.get("/score?model=bigram"), 422, "word")


def test_no_body_at_all_is_refused(client: httpx.Client) -> None:
    assert_problem(post(client, b""), 422, "body")


@pytest.mark.parametrize("opening", ["[", '{"a":', '{"words":['])
def test_a_hundred_thousand_brackets_are_refused(client: httpx.Client, opening: str) -> None:
    assert_problem(post(client, (opening * DEEP)[: DEEP + DEEP // 5]), 400)
    assert_problem(post(client, '{"words":' + "[" * 50_000 + "]" * 50_000 + "}"), 400)


def test_a_repeated_key_is_400(client: httpx.Client) -> None:
    for body in (
        '{"words": ["emma"], "words": ["ava"]}',
        '{"words": ["emma"], "model": "bigram", "model": "bigram"}',
        '{"words": ["emma"], "x": {"a": 1, "a": 1}}',
    ):
        assert "repeated" in assert_problem(post(client, body), 400)["detail"]


def test_an_integer_of_ten_thousand_digits_is_refused(client: httpx.Client) -> None:
    for body in ('{"words": [%s]}', '{"words": ["emma"], "x": -%s}', "%s"):
        problem = assert_problem(post(client, body % ("9" * 10_000)), 400)
        # What the caller can do about it, not what a Python programmer could.
        assert "sys." not in problem["detail"]


@pytest.mark.parametrize(
    "media_type",
    ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", "*/*", "", "json"],
)
def test_another_media_type_than_json_is_415(client: httpx.Client, media_type: str) -> None:
    headers = {"Content-Type": media_type}
    response = client.post("/score", content=b'{"words": ["emma"]}', headers=headers)
    assert "application/json" in assert_problem(response, 415)["detail"]


def test_a_missing_media_type_is_415(client: httpx.Client) -> None:
    assert_problem(client.post("/score", content=b'{"words": ["emma"]}'), 415)


def test_too_large_a_body_is_413(client: httpx.Client) -> None:
    body = b'{"words": ["' + b"a" * 200_000 + b'"]}'
    assert_problem(post(client, body), 413)


def test_too_large_a_body_of_unstated_length_is_413(client: httpx.Client) -> None:
    response = client.post("/score", content=iter([b" " * 65_536] * 3), headers=JSON)
    assert_problem(response, 413)


def test_the_largest_body_is_read(client: httpx.Client) -> None:
    body = b'{"words": ["emma"]}'
    assert post(client, body + b" " * (131_072 - len(body))).status_code == 200
    assert_problem(post(client, body + b" " * (131_073 - len(body))), 413)


def test_more_words_than_allowed_are_refused(client: httpx.Client) -> None:
    words = ["a"] * (MAX_WORDS + 1)
    assert_problem(client.post("/score", json={"words": words}), 422, "words")
    assert_problem(client.get("/score?" + "word=a&" * (MAX_WORDS + 1)), 422, "word")


@pytest.mark.parametrize(("model", "longest"), [("bigram", 64), ("transformer", 15)])
def test_words_that_are_empty_or_too_long_are_refused(
    client: httpx.Client, model: str, longest: int
) -> None:
    for word in ("", "a" * (longest + 1), "a" * 60_000, "é" * 30_000):
        response = client.post("/score", json={"words": [word], "model": model})
        problem = assert_problem(response, 422, "words[0]")
        assert f"allowed: 1 to {longest}" in problem["detail"]
        if len(word) < 100:
            assert_problem(get(client, "/score", model=model, word=word), 422, "word[0]")


def test_a_thousand_faults_still_make_a_short_answer(client: httpx.Client) -> None:
    bodies = [
        {"words": [5] * 1000},
        {"words": ["a"]} | {f"{i}-" + "y" * 60: 1 for i in range(1000)},
        {"words": ["a"]} | {f"{i}-" + "\u3042" * 200: 1 for i in range(100)},
        {"words": ["a"]} | {f"{i}-" + '\u0001\\"' * 60: 1 for i in range(200)},
    ]
    for body in bodies:
        response = post(client, json.dumps(body, ensure_ascii=False))
        assert response.status_code == 422
        first = response.json()["errors"][0]["parameter"]
        assert_problem(response, 422, first)
    response = client.get("/generate?" + "&".join(f"a{i}=1" for i in range(1000)))
    assert "999 more" in assert_problem(response, 422, "a0")["detail"]

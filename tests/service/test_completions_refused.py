"""What /v1/completions refuses, and how OpenAI's client tells it, on a real server."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.completion_schemas import CompletionBody, OpenAIProblem
from app.completions import MAX_READ
from tests.service.conftest import JSON, Serve, Service, assert_problem
from tests.service.openai_client import client_of

PATH = "/v1/completions"


@pytest.fixture(scope="module")
def ai(service: Service) -> Iterator[openai.OpenAI]:
    with client_of(service) as made:
        yield made


def assert_openai_problem(
    response: httpx.Response, status: int, parameter: str | None
) -> dict[str, Any]:
    """Check that an error is a problem of ours with what OpenAI's clients read; return that."""
    problem = assert_problem(response, status, parameter)
    OpenAIProblem.model_validate(problem, strict=True, extra="forbid")
    error: dict[str, Any] = problem["error"]
    return error


def test_an_unknown_model_is_a_not_found_error(ai: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="no such model; served here: bigram") as caught:
        ai.completions.create(model="gpt-3.5-turbo-instruct", prompt="em")
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")
    assert caught.value.request_id
    with pytest.raises(openai.NotFoundError) as caught:
        ai.models.retrieve("gpt-5")
    assert caught.value.code == "model_not_found"


def test_an_endpoint_that_is_not_here_is_a_not_found_error(ai: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="nothing is at this path"):
        ai.embeddings.create(model="bigram", input="emma", encoding_format="float")


@pytest.mark.parametrize(
    ("parameter", "value", "message"),
    [
        ("temperature", 10.5, "is out of range; allowed: 0 to 10"),
        ("temperature", "1", "must be a number; allowed: 0 to 10"),
        ("temperature", True, "must be a number"),
        ("top_p", 0, "allowed: above 0 to 1"),
        ("top_k", 0, "allowed: 1 to 65536"),
        ("min_p", 1.5, "allowed: 0 to 1"),
        ("n", 0, "allowed: 1 to 1000"),
        ("n", 1001, "allowed: 1 to 1000"),
        ("n", 1.0, "must be an integer"),
        ("n", True, "must be an integer"),
        ("seed", -1, "allowed: 0 to 18446744073709551615"),
        ("seed", 2**64, "allowed: 0 to 18446744073709551615"),
        ("seed", "emma", "must be an integer"),
        ("logprobs", 6, "allowed: 0 to 5"),
        ("logprobs", True, "must be an integer"),
        ("max_tokens", -1, "allowed: 0 to 1000"),
        ("max_tokens", 16, "allowed: 0 to 15, what the model can hold after prompt"),
        ("echo", 1, "must be a boolean"),
        ("stream", "yes", "must be a boolean"),
        ("stream_options", {"include_usage": True}, "with stream=true"),
        ("prompt", [1, 2, 3], "not token ids"),
        ("prompt", [[1, 2], [3]], "not token ids"),
        ("prompt", 5, "a string or a list of strings"),
        ("prompt", [], "allowed: 1 to 1000"),
        ("prompt", "emmA", "position 3 (U+0041)"),
        ("prompt", "em\0", "position 2 (U+0000)"),
        ("prompt", "a" * 16, "has 16 characters; allowed: 0 to 15"),
        ("stop", ["a"] * 5, "up to 4"),
        ("stop", [""], "up to 4 strings of 1 to 256 characters"),
        ("stop", "a" * 257, "1 to 256 characters"),
        ("stop", 5, "must be text"),
        ("suffix", "a", 'is not supported here; allowed: "" or null'),
        ("presence_penalty", 0.1, "is not supported here; allowed: 0 or null"),
        ("frequency_penalty", False, "is not supported here"),
        ("logit_bias", {"5": 1}, "is not supported here; allowed: {} or null"),
        ("best_of", 2, "is not supported here; allowed: 1, n or null"),
        ("best_of", 0, "allowed: 1 to 1000"),
        ("user", 5, "must be a string"),
        ("offset", 5, "no such parameter"),
        ("messages", [], "no such parameter"),
    ],
    ids=lambda value: str(value)[:30].encode("ascii", "replace").decode(),
)
def test_what_cannot_be_completed_is_refused_by_name(
    ai: openai.OpenAI, parameter: str, value: object, message: str
) -> None:
    body = {"model": "transformer", "prompt": "a", parameter: value}
    with pytest.raises(openai.UnprocessableEntityError) as caught:
        ai.post(PATH.removeprefix("/v1"), body=body, cast_to=object)
    assert caught.value.param == parameter
    assert message in str(caught.value)
    assert str(caught.value).startswith(f"Error code: 422 - {parameter}: ")


@pytest.mark.parametrize(
    ("body", "parameter", "message"),
    [
        ({"prompt": ["em", "é"]}, "prompt[1]", "position 0 (U+00E9)"),
        ({"prompt": ["em", "a" * 65]}, "prompt[1]", "has 65 characters; allowed: 0 to 64"),
        ({"prompt": ["a"] * 501, "n": 2}, "n", "allowed: 1 to 1 with so many prompts"),
        ({"prompt": ["a"] * 1001}, "prompt", "allowed: 1 to 1000"),
        ({"prompt": ["a", 5]}, "prompt", "not token ids"),
        ({"prompt": ["a", "a" * 60], "max_tokens": 6}, "max_tokens", "0 to 5, what the model"),
        ({"n": 400, "max_tokens": 60, "logprobs": 0}, "logprobs", f"is for {MAX_READ} tokens"),
        ({"stream": True, "stream_options": {"x": 1}}, "stream_options.x", "no such parameter"),
        (
            {"stream": True, "stream_options": {"include_obfuscation": True}},
            "stream_options.include_obfuscation",
            "is not supported here; allowed: false or null",
        ),
        ({"stream": True, "prompt": "É"}, "prompt", "position 0"),
        ([], "body", "valid dictionary"),
    ],
    ids=str,
)
def test_faults_of_a_body_are_named(
    client: httpx.Client, body: object, parameter: str, message: str
) -> None:
    sent = body | {"model": "bigram"} if isinstance(body, dict) else body
    assert message in assert_openai_problem(client.post(PATH, json=sent), 422, parameter)["message"]


def test_a_lone_surrogate_is_refused_by_name(client: httpx.Client) -> None:
    for name in ("prompt", "stop", "model"):
        content = json.dumps({name: "a\ud800"})
        response = client.post(PATH, content=content, headers=JSON)
        assert "Unicode" in assert_openai_problem(response, 422, name)["message"]


def test_other_faults_have_the_same_shape(client: httpx.Client) -> None:
    assert_openai_problem(client.post(PATH, content=b"{", headers=JSON), 400, None)
    assert_openai_problem(client.post(PATH, content=b'{"n": NaN}', headers=JSON), 400, None)
    assert_openai_problem(client.post(PATH, content=b"{}"), 415, None)
    assert_openai_problem(client.post(PATH, content=b" " * 200_000, headers=JSON), 413, None)
    assert_openai_problem(client.post(f"{PATH}?n=1", json={}), 422, "n")
    assert_openai_problem(client.get(PATH), 405, None)
    assert_openai_problem(client.get("/v1/models?x=1"), 422, "x")
    assert_openai_problem(client.get("/v1/models/%ff"), 400, None)
    assert_openai_problem(client.get("/v1/chat"), 404, None)
    assert "error" not in assert_problem(client.get("/generate?n=0"), 422, "n")


def test_a_thousand_faults_still_make_a_short_answer(client: httpx.Client) -> None:
    body = {f"{i}-" + '\u0001\\"\u3042' * 60: 1 for i in range(100)}
    response = client.post(PATH, json=body)
    assert_openai_problem(response, 422, response.json()["errors"][0]["parameter"])


def test_one_that_takes_too_long_is_504_and_others_are_served(serve: Serve) -> None:
    models = {"MODELS": "korean-gpt,bigram", "DEFAULT_MODEL": "bigram"}
    with serve(QUEUE_SIZE=1, DEADLINE_S=1, **models) as service:
        prompts = ["나", "그"] * 10
        long = {"model": "korean-gpt", "prompt": prompts, "n": 50, "max_tokens": 120}
        error = assert_openai_problem(service.client.post(PATH, json=long), 504, None)
        assert "in 1 s," in error["message"]
        assert service.client.post(PATH, json={"n": 1}).status_code == 200


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
likely = {
    "prompt": st.lists(st.text("abcz", max_size=5), max_size=4),
    "n": st.integers(-1, 20),
    "max_tokens": st.integers(-1, 20),
    "temperature": st.floats(0, 11),
    "logprobs": st.integers(-1, 6),
    "echo": st.booleans(),
    "stop": st.lists(st.text("ab", max_size=2), max_size=5),
    "stream": st.booleans(),
    "seed": st.integers(0, 2**64),
}
fields = st.fixed_dictionaries(
    {}, optional={name: likely.get(name, anything) for name in CompletionBody.model_fields}
)
wild = st.dictionaries(st.sampled_from([*CompletionBody.model_fields, "x"]), anything)


@settings(max_examples=200)
@given(fields | wild)
@example({"prompt": "\ud800"})
@example({"temperature": float("inf")})
@example({"prompt": [""], "echo": True, "logprobs": 0, "max_tokens": 0, "stream": True})
def test_no_body_is_answered_by_a_500(client: httpx.Client, body: dict[str, object]) -> None:
    content = json.dumps({"model": "bigram"} | body).encode()
    response = client.post(PATH, content=content, headers=JSON)
    if response.status_code != 200:
        assert 400 <= response.status_code < 500, response.text
        errors = response.json()["errors"]
        assert_openai_problem(
            response, response.status_code, errors[0]["parameter"] if errors else None
        )
    elif body.get("stream"):
        assert response.text.endswith("data: [DONE]\n\n")

"""POST /v1/completions and GET /v1/models by the official client, on a real server."""

import asyncio
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from app.completions import find_stop
from tests.exact import bundled_ids
from tests.service.conftest import Serve, Service
from tests.service.openai_client import checked, client_of, settings, texts

NAMES = bundled_ids("lines")
SMALL = ["bigram", "gru-ngram", "transformer"]
KOREAN = "korean-gpt"
PROMPT = "조선은 "
DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "api.md"


@pytest.fixture(scope="module")
def ai(service: Service) -> Iterator[openai.OpenAI]:
    with client_of(service) as made:
        yield made


def names(client: httpx.Client, **parameters: object) -> dict[int, str]:
    """Names of /generate by their index in the stream."""
    query = {key: str(value) for key, value in parameters.items()} | {"scores": "true"}
    return {
        name["index"]: name["name"]
        for name in client.get("/generate", params=query).json()["names"]
    }


# ---------------------------------------------------------------- choices


@pytest.mark.parametrize("model", NAMES)
def test_choices_that_end_are_the_names_of_generate_with_that_seed_and_prefix(
    ai: openai.OpenAI, client: httpx.Client, model: str
) -> None:
    answer = checked(ai.completions.create(model=model, prompt="em", n=50, seed=42))
    expected = names(client, model=model, prefix="em", n=50, seed=42)
    ended = 0
    for choice in answer.choices:
        if choice.finish_reason == "stop":
            ended += 1
            assert expected[choice.index] == "em" + choice.text
        else:
            assert choice.index not in expected or expected[choice.index].startswith(
                "em" + choice.text
            )
    assert ended > 25
    assert answer.model == model
    assert answer.system_fingerprint == client.get(f"/models/{model}").json()["fingerprint"]
    assert answer.usage is not None
    assert answer.usage.prompt_tokens == 2
    assert answer.usage.completion_tokens == sum(len(text) for text in texts(answer)) + ended


@pytest.mark.parametrize("model", SMALL)
def test_fewer_tokens_or_choices_give_the_beginnings_of_more(ai: openai.OpenAI, model: str) -> None:
    given: dict[str, Any] = {"model": model, "prompt": "a", "seed": 7}
    whole = ai.completions.create(**given, n=20, max_tokens=12)
    for max_tokens in (0, 1, 2, 5):
        some = checked(ai.completions.create(**given, n=8, max_tokens=max_tokens))
        assert texts(some) == [text[:max_tokens] for text in texts(whole)[:8]]
        for choice, longer in zip(some.choices, whole.choices, strict=False):
            ended = longer.finish_reason == "stop" and len(longer.text) < max_tokens
            assert choice.finish_reason == ("stop" if ended else "length")


def test_the_same_seed_gives_the_same_choices_and_a_drawn_one_is_told(ai: openai.OpenAI) -> None:
    drawn = checked(ai.completions.create(model="gru-ngram", prompt="", n=5))
    assert drawn.model_extra is not None
    again = ai.completions.create(model="gru-ngram", prompt="", n=5, seed=drawn.model_extra["seed"])
    assert texts(again) == texts(drawn)
    other = ai.completions.create(model="gru-ngram", prompt="", n=5)
    assert texts(other) != texts(drawn)
    largest = ai.completions.create(model="gru-ngram", prompt="", seed=2**64 - 1)
    assert largest.model_extra is not None
    assert largest.model_extra["seed"] == 2**64 - 1


def test_sampling_parameters_are_those_of_generate(ai: openai.OpenAI, client: httpx.Client) -> None:
    for sampling in ({"temperature": 0.5}, {"top_p": 0.6}, {"top_k": 3}, {"min_p": 0.2}):
        expected = names(client, model="gru-ngram", seed=3, n=30, **sampling)
        answer = ai.completions.create(
            model="gru-ngram", prompt=None, n=30, seed=3, extra_body=sampling
        )
        for choice in answer.choices:
            if choice.text and choice.finish_reason == "stop":
                assert expected[choice.index] == choice.text
    greedy = ai.completions.create(model="gru-ngram", prompt="e", n=3, temperature=0)
    assert len(set(texts(greedy))) == 1


def test_each_prompt_of_a_list_has_what_it_has_alone(ai: openai.OpenAI) -> None:
    prompts = ["em", "", "ol", "em", "q", "x", "em", "zz", "a", "b", "c"]
    given: dict[str, Any] = {"model": "gru-ngram", "seed": 5, "n": 3, "max_tokens": 6}
    together = checked(ai.completions.create(prompt=prompts, **given))
    alone = [texts(ai.completions.create(prompt=prompt, **given)) for prompt in prompts]
    assert texts(together) == [text for some in alone for text in some]
    assert together.usage is not None
    assert together.usage.prompt_tokens == sum(map(len, prompts))


def test_a_list_of_prompts_takes_one_place_of_the_queue(serve: Serve) -> None:
    with (
        serve(QUEUE_SIZE=1, MODELS="bigram", DEFAULT_MODEL="bigram") as service,
        client_of(service) as ai,
    ):
        given: dict[str, Any] = {"model": "bigram", "prompt": ["a", "b"] * 10, "seed": 1}
        answer = ai.completions.create(**given, logprobs=1)
        streamed = ai.completions.create(**given, n=20, max_tokens=50, stream=True)
        assert len(answer.choices) == 20
        assert {chunk.choices[0].index for chunk in streamed} == set(range(400))


@pytest.mark.parametrize(
    ("text", "stops", "at"),
    [
        ("abcabc", ["b"], 1),
        ("abcabc", ["x", "ca"], 2),
        ("abcde", ["abcd", "bc"], 1),  # "bc" is complete first
        ("abcde", ["c", "abc"], 0),  # both at once: the longer one
        ("abc", ["d"], None),
        ("", ["a"], None),
    ],
)
def test_a_text_is_cut_where_the_stop_begins_that_is_complete_first(
    text: str, stops: list[str], at: int | None
) -> None:
    assert find_stop(text, stops) == at


def test_stops_cut_the_choices_that_have_them_and_no_others(ai: openai.OpenAI) -> None:
    given: dict[str, Any] = {"model": "gru-ngram", "prompt": "a", "seed": 8, "n": 40}
    plain = ai.completions.create(**given)
    stopped = checked(ai.completions.create(**given, stop=["a", "ie"], logprobs=0))
    for whole, cut in zip(plain.choices, stopped.choices, strict=True):
        at = find_stop(whole.text, ["a", "ie"])
        assert cut.text == (whole.text if at is None else whole.text[:at])
        assert cut.finish_reason == (whole.finish_reason if at is None else "stop")
        assert cut.logprobs is not None
        assert "".join(cut.logprobs.tokens or []) == cut.text
    assert texts(ai.completions.create(**given, stop=[])) == texts(plain)
    assert texts(ai.completions.create(**given, stop="a")) != texts(plain)


def test_neutral_values_of_what_is_not_supported_change_nothing(ai: openai.OpenAI) -> None:
    given: dict[str, Any] = {"model": "gru-ngram", "prompt": "a", "seed": 8, "n": 2}
    neutral: dict[str, Any] = {
        **{"best_of": 2, "suffix": "", "presence_penalty": 0, "frequency_penalty": 0.0},
        **{"logit_bias": {}, "user": "someone", "top_p": 1, "temperature": 1},
    }
    plain = texts(ai.completions.create(**given))
    assert texts(ai.completions.create(**given, **neutral)) == plain
    nulls = dict.fromkeys([*neutral, "stop", "logprobs", "max_tokens", "echo", "stream"])
    assert texts(ai.completions.create(**given, extra_body=nulls)) == plain


def test_a_missing_model_or_prompt_is_the_default_one(client: httpx.Client) -> None:
    answer = client.post("/v1/completions", json={"seed": 1}).json()
    explicit = {"seed": 1, "prompt": "", "model": "gru-ngram", "n": 1, "max_tokens": 16}
    assert answer["choices"] == client.post("/v1/completions", json=explicit).json()["choices"]
    assert answer["model"] == "gru-ngram"


# ---------------------------------------------------------------- running text


def test_korean_text_goes_on_from_a_prompt_as_generate_has_it(
    ai: openai.OpenAI, client: httpx.Client
) -> None:
    query = {"model": KOREAN, "prefix": PROMPT, "seed": 6, "n": 2, "max_length": len(PROMPT) + 20}
    expected = client.get("/generate", params=query).json()["names"]
    given: dict[str, Any] = {"model": KOREAN, "seed": 6, "n": 2, "max_tokens": 20}
    decomposed = unicodedata.normalize("NFD", PROMPT)
    for prompt in (PROMPT, decomposed):
        answer = checked(ai.completions.create(prompt=prompt, echo=True, **given))
        assert texts(answer) == expected
        assert {choice.finish_reason for choice in answer.choices} == {"length"}
        assert answer.usage is not None
        assert answer.usage.completion_tokens == 40
    assert len(texts(ai.completions.create(model=KOREAN, prompt=PROMPT))[0]) == 16
    line = ai.completions.create(model=KOREAN, prompt=PROMPT, seed=6, max_tokens=100, stop="\n")
    assert "\n" not in texts(line)[0]


# ---------------------------------------------------------------- models, other clients


def test_the_models_are_listed_and_described(ai: openai.OpenAI, client: httpx.Client) -> None:
    listed = ai.models.list().data
    assert [model.id for model in listed] == [
        m["id"] for m in client.get("/models").json()["models"]
    ]
    assert {model.object for model in listed} == {"model"}
    assert all(model.created > 1_700_000_000 for model in listed)
    for model in listed:
        assert ai.models.retrieve(model.id) == model


def test_the_async_client_gets_the_same(service: Service, ai: openai.OpenAI) -> None:
    async def ask() -> list[list[str]]:
        http_client = openai.DefaultAsyncHttpxClient(trust_env=False)
        async with openai.AsyncOpenAI(**settings(service), http_client=http_client) as made:
            asked = [
                made.completions.create(model="gru-ngram", prompt="em", n=4, seed=seed)
                for seed in range(20)
            ]
            return [texts(answer) for answer in await asyncio.gather(*asked)]

    alone = [
        texts(ai.completions.create(model="gru-ngram", prompt="em", n=4, seed=seed))
        for seed in range(20)
    ]
    assert asyncio.run(ask()) == alone


def test_the_example_of_the_documentation_prints_what_it_says(
    service: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    (program,) = re.findall(r"```python\n(from openai.*?)```", DOCUMENT.read_text(), re.DOTALL)
    program, _, printed = program.rpartition("  # ")
    address = program.replace("http://localhost:8000", f"http://127.0.0.1:{service.port}")
    scope: dict[str, Any] = {}
    exec(address, scope)
    scope["client"].close()
    assert capsys.readouterr().out == printed


def test_the_id_of_an_answer_is_that_of_its_request(client: httpx.Client) -> None:
    headers = {"X-Request-ID": "find-me"}
    response = client.post("/v1/completions", json={}, headers=headers)
    assert response.json()["id"] == "cmpl-find-me"

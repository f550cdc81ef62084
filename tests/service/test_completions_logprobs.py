"""What /v1/completions says of each token, by the official client, on a real server."""

import math
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest

from tests.exact import bundled_ids
from tests.service.conftest import Service
from tests.service.openai_client import checked, client_of, texts

NAMES = bundled_ids("lines")
SMALL = ["bigram", "gru-ngram", "transformer"]
KOREAN = "korean-gpt"
PROMPT = "조선은 "


@pytest.fixture(scope="module")
def ai(service: Service) -> Iterator[openai.OpenAI]:
    with client_of(service) as made:
        yield made


def lists(choice: Any) -> tuple[list[str], list[float], list[dict[str, float]], list[int]]:
    """The four lists of a choice's logprobs, one entry a token each."""
    found = choice.logprobs
    four = (found.tokens, found.token_logprobs, found.top_logprobs, found.text_offset)
    assert {len(some) for some in four} == {len(found.tokens)}
    return four


@pytest.mark.parametrize("model", [*NAMES, KOREAN])
def test_echo_with_logprobs_and_no_tokens_scores_a_text_as_score_does(
    ai: openai.OpenAI, client: httpx.Client, model: str
) -> None:
    words = ["emma", "olivia", "a"] if model != KOREAN else [PROMPT, "나라\n"]
    scored = client.post("/score", json={"words": words, "model": model}).json()["results"]
    answer = checked(
        ai.completions.create(model=model, prompt=words, max_tokens=0, logprobs=5, echo=True)
    )
    assert texts(answer) == words
    for choice, word, result in zip(answer.choices, words, scored, strict=True):
        tokens, logprobs, top, offsets = lists(choice)
        assert "".join(tokens) == word
        assert offsets == list(range(len(word)))
        for token, logprob, best, expected in zip(
            tokens, logprobs, top, result["characters"], strict=False
        ):
            assert token == expected["character"]
            assert logprob == -expected["nll"]
            assert best[token] == logprob
            assert len(best) == (5 if expected["rank"] <= 5 else 6)
            better = [value for value in best.values() if value > logprob]
            assert len(better) == min(expected["rank"] - 1, 5)
        assert choice.finish_reason == "length"


@pytest.mark.parametrize("model", SMALL)
def test_logprobs_of_names_that_end_are_their_scores_end_included(
    ai: openai.OpenAI, client: httpx.Client, model: str
) -> None:
    answer = ai.completions.create(
        model=model, prompt="em", n=20, seed=1, temperature=0.7, logprobs=1, echo=True
    )
    ended = [choice for choice in answer.choices if choice.finish_reason == "stop"]
    assert ended
    body = {"words": [choice.text for choice in ended], "model": model}
    for choice, result in zip(
        ended, client.post("/score", json=body).json()["results"], strict=True
    ):
        tokens, logprobs, _, offsets = lists(choice)
        assert tokens == [character["character"] for character in result["characters"]]
        assert logprobs == [-character["nll"] for character in result["characters"]]
        assert math.fsum(logprobs) == pytest.approx(-result["nll"])
        assert offsets[-1] == len(choice.text)


def test_without_echo_the_logprobs_are_those_of_the_text_alone(ai: openai.OpenAI) -> None:
    given: dict[str, Any] = {"model": "gru-ngram", "prompt": "em", "seed": 4, "n": 9, "logprobs": 3}
    echoed = ai.completions.create(**given, echo=True)
    plain = checked(ai.completions.create(**given))
    for choice, other in zip(plain.choices, echoed.choices, strict=True):
        tokens, logprobs, top, offsets = lists(choice)
        assert [tokens, logprobs, top] == [some[2:] for some in lists(other)[:3]]
        assert "em" + choice.text == other.text
        assert offsets == list(range(len(tokens)))
    greedy = ai.completions.create(model="gru-ngram", prompt="", temperature=0, logprobs=0)
    best = ai.completions.create(model="gru-ngram", prompt="", temperature=0, logprobs=1)
    assert [len(some) for some in lists(greedy.choices[0])[2]] == [1] * len(
        lists(greedy.choices[0])[0]
    )
    assert lists(best.choices[0]) == lists(greedy.choices[0])  # it took the likeliest


@pytest.mark.parametrize("model", [*SMALL, KOREAN])
def test_one_token_after_an_echoed_prompt_is_one_entry_more(ai: openai.OpenAI, model: str) -> None:
    # Evaluation harnesses ask like this, and leave the last entry out.
    prompts = ["emma", "a", "zz"] if model != KOREAN else [PROMPT, "나"]
    given: dict[str, Any] = {"model": model, "prompt": prompts, "n": 5, "logprobs": 1, "echo": True}
    scored = ai.completions.create(**given, max_tokens=0)
    drawn = ai.completions.create(**given, max_tokens=1, seed=3)
    for one, more in zip(scored.choices, drawn.choices, strict=True):
        assert [some[:-1] for some in lists(more)] == list(lists(one))


def test_nothing_at_all_has_no_logprobs_to_tell(ai: openai.OpenAI) -> None:
    answer = checked(
        ai.completions.create(model="bigram", prompt=["", "a"], max_tokens=0, logprobs=2, echo=True)
    )
    assert texts(answer) == ["", "a"]
    assert lists(answer.choices[0]) == ([], [], [], [])


def test_the_longest_prompt_has_room_for_its_end(ai: openai.OpenAI, client: httpx.Client) -> None:
    for model in SMALL:
        longest = client.get(f"/models/{model}").json()["max_length"]
        answer = ai.completions.create(
            model=model, prompt="a" * longest, max_tokens=1, n=3, logprobs=1, echo=True
        )
        for choice in answer.choices:
            assert len(lists(choice)[0]) == longest + 1

"""POST /v1/completions with stream=true: the same choices, some characters at a time."""

import json
import signal
import socket
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from app.completion_schemas import CompletionAnswer
from tests.service.conftest import PATIENCE_S, STOP_LIMIT_S, Serve, Service
from tests.service.openai_client import client_of

KOREAN = "korean-gpt"
SHORT = "/score?word=emma&model=bigram"


@pytest.fixture(scope="module")
def ai(service: Service) -> Iterator[openai.OpenAI]:
    with client_of(service) as made:
        yield made


def joined(stream: Any) -> list[dict[str, Any]]:
    """The choices of a stream put together, checked against the documented model."""
    found: dict[int, list[dict[str, Any]]] = defaultdict(list)
    abouts = set()
    for chunk in stream:
        sent = chunk.model_dump_json(exclude_unset=True)
        CompletionAnswer.model_validate_json(sent, strict=True, extra="forbid")
        data = json.loads(sent)
        abouts.add((data["id"], data["created"], data["model"], data["seed"]))
        for choice in data["choices"]:
            found[choice["index"]].append(choice)
    assert len(abouts) == 1
    return [_joined(found[index]) for index in sorted(found)]


def _joined(parts: list[dict[str, Any]]) -> dict[str, Any]:
    assert all(part["finish_reason"] is None for part in parts[:-1])
    assert all(part["text"] or part["logprobs"] for part in parts[:-1])
    whole = parts[-1] | {"text": "".join(part["text"] for part in parts)}
    if whole["logprobs"]:
        names = whole["logprobs"]
        lists = {name: [x for part in parts for x in part["logprobs"][name]] for name in names}
        whole["logprobs"] = lists
    return whole


@pytest.mark.parametrize(
    "given",
    [
        {"model": "gru-ngram", "prompt": "em", "n": 1},
        {"model": "gru-ngram", "prompt": ["em", "", "q"], "n": 40, "echo": True},
        {"model": "bigram", "prompt": "a", "n": 40, "max_tokens": 60, "logprobs": 2},
        {
            "model": "bigram",
            "prompt": "abc",
            "n": 20,
            "max_tokens": 50,
            "echo": True,
            "logprobs": 0,
        },
        {
            "model": "bigram",
            "n": 60,
            "prompt": "",
            "max_tokens": 50,
            "stop": ["an", "ana", "zzz"],
        },
        {"model": "transformer", "prompt": ["em", "ol"], "n": 3, "max_tokens": 1},
        {"model": "transformer", "prompt": ["em", ""], "n": 2, "max_tokens": 0, "echo": True},
        {"model": KOREAN, "prompt": "조선은 ", "n": 2, "max_tokens": 120},
        {"model": KOREAN, "prompt": "나", "n": 2, "max_tokens": 90, "stop": "다.\n", "logprobs": 1},
    ],
    ids=str,
)
def test_a_stream_has_what_the_answer_in_one_piece_has(
    ai: openai.OpenAI, given: dict[str, Any]
) -> None:
    whole = ai.completions.create(**given, seed=11)
    streamed = joined(ai.completions.create(**given, seed=11, stream=True))
    assert streamed == json.loads(whole.model_dump_json(exclude_unset=True))["choices"]


def test_a_long_text_comes_in_pieces(ai: openai.OpenAI) -> None:
    stream = ai.completions.create(model=KOREAN, prompt="나", max_tokens=120, stream=True)
    lengths = [len(chunk.choices[0].text) for chunk in stream]
    assert lengths == [16, 32, 64, 8]


def test_the_usage_comes_last_if_it_is_wanted(ai: openai.OpenAI) -> None:
    given: dict[str, Any] = {"model": "gru-ngram", "prompt": ["em", "o"], "n": 5, "seed": 1}
    whole = ai.completions.create(**given)
    *chunks, last = ai.completions.create(
        **given, stream=True, stream_options={"include_usage": True}
    )
    assert last.usage == whole.usage
    assert last.choices == []
    assert len(chunks) == 10
    assert all(chunk.usage is None and "usage" in chunk.model_fields_set for chunk in chunks)
    plain = ai.completions.create(**given, stream=True)
    assert all("usage" not in chunk.model_fields_set for chunk in plain)


def test_the_bytes_of_a_stream_are_those_that_clients_expect(service: Service) -> None:
    body = {"seed": 1, "stream": True, "model": "bigram"}
    response = service.client.post("/v1/completions", json=body)
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert response.headers["cache-control"] == "no-store"
    *events, done, rest = response.text.split("\n\n")
    assert (done, rest) == ("data: [DONE]", "")
    assert all(event.startswith('data: {"id":"cmpl-') and "\n" not in event for event in events)


def test_a_process_that_ends_says_so_in_mid_stream(serve: Serve) -> None:
    models = {"MODELS": KOREAN, "DEFAULT_MODEL": KOREAN}
    with serve(**models) as service, client_of(service) as ai:
        given: dict[str, Any] = {"model": KOREAN, "prompt": "나", "n": 500, "max_tokens": 120}
        stream = iter(ai.completions.create(**given, stream=True))
        assert next(stream).choices[0].text
        service.process.send_signal(signal.SIGTERM)
        with pytest.raises(openai.APIError, match="the server shuts down; please ask again"):
            for _ in stream:
                pass
        assert service.process.wait(STOP_LIMIT_S) == 0


def test_a_client_that_leaves_a_stream_gives_its_place_to_others(serve: Serve) -> None:
    models = {"MODELS": f"{KOREAN},bigram", "DEFAULT_MODEL": KOREAN}
    body = json.dumps({"n": 1000, "max_tokens": 120, "stream": True}).encode()
    head = b"POST /v1/completions HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n"
    with serve(QUEUE_SIZE=1, **models) as service:
        with socket.create_connection(
            ("127.0.0.1", service.port), timeout=PATIENCE_S
        ) as connection:
            connection.sendall(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
            assert connection.recv(12) == b"HTTP/1.1 200"
        for _ in range(100):
            if service.client.get(SHORT).status_code == 200:
                break
        assert [service.client.get(SHORT).status_code for _ in range(20)] == [200] * 20

"""safe=true, and NAMEWRIGHT_SAFE, wherever names are given, on a real server.

The list of these tests has what names often end with, so that every answer shows it.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.service.conftest import ROOT, Serve, Service, assert_problem, serving
from tests.service.openai_client import checked, client_of, texts
from tests.service.test_pool import await_pool

LIST = "# what these tests hold offensive\n*a\n*n\n!anna\n"
SERVED = {"MODELS": "bigram,korean-gpt", "DEFAULT_MODEL": "bigram", "POOL_NAMES": 3000}
HEADER = "x-namewright-safe-list"


def is_safe(name: str) -> bool:
    return name == "anna" or name[-1] not in "an"


def write_list(folder: Path, text: str = LIST) -> Path:
    path = folder / "words.txt"
    path.write_text(text)
    return path


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One whose operator has set NAMEWRIGHT_SAFE and a list."""
    folder = tmp_path_factory.mktemp("safe")
    with serving(folder / "log", SAFE="true", UNSAFE_WORDS=write_list(folder), **SERVED) as running:
        yield running


@pytest.fixture(scope="module")
def client(service: Service) -> httpx.Client:
    return service.client


def generate(client: httpx.Client, **query: Any) -> dict[str, Any]:
    response = client.get("/generate", params={"seed": 7, "n": 100, "model": "bigram"} | query)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


@pytest.fixture(scope="module")
def expected(client: httpx.Client) -> list[str]:
    """The first 100 names of seed 7 that are safe."""
    everything = generate(client, n=1000, safe="false")["names"]
    assert not all(map(is_safe, everything[:10]))
    return [name for name in everything if is_safe(name)][:100]


# ------------------------------------------------------------------ where it holds


def test_generate_leaves_out_what_the_list_has_and_changes_no_other_name(
    client: httpx.Client, expected: list[str]
) -> None:
    for asked in ({}, {"safe": "true"}):
        answer = generate(client, **asked)
        assert answer["names"] == expected
        assert answer["safe"] is True
        assert len(answer["safe_list"]) == 16
        assert answer["acceptance_rate"] == 100 / answer["next_offset"]
    posted = client.post("/generate", json={"seed": 7, "n": 100}).json()
    assert posted == generate(client)


def test_it_can_be_switched_off(client: httpx.Client) -> None:
    answer = generate(client, safe="false")
    assert (answer["safe"], answer["safe_list"]) == (False, None)
    assert not all(map(is_safe, answer["names"]))
    assert client.post("/generate", json={"seed": 7, "n": 100, "safe": False}).json() == answer


def test_pages_neither_repeat_nor_skip(client: httpx.Client, expected: list[str]) -> None:
    found, offset = [], 0
    while len(found) < 100:
        page = generate(client, n=min(17, 100 - len(found)), offset=offset)
        found += page["names"]
        offset = page["next_offset"]
    assert found == expected
    assert offset == generate(client)["next_offset"]


def test_streams_and_other_formats_are_safe_and_name_the_list(
    client: httpx.Client, expected: list[str]
) -> None:
    query = {"seed": 7, "n": 100}
    response = client.get("/generate/stream", params=query)
    *lines, end = map(json.loads, response.text.splitlines())
    assert [line["name"] for line in lines] == expected
    assert (end["safe"], end["safe_list"]) == (True, response.headers[HEADER])
    plain = client.get("/generate", params=query | {"format": "text"})
    assert plain.text.split() == expected
    assert plain.headers[HEADER] == generate(client)["safe_list"] == end["safe_list"]
    assert HEADER not in client.get("/generate?seed=7&format=text&safe=false").headers


def test_keys_have_safe_names(client: httpx.Client) -> None:
    named = [client.get(f"/names/user-{i}").json() for i in range(60)]
    assert all(is_safe(each["name"]) and each["safe"] for each in named)
    unsafe = [client.get(f"/names/user-{i}?safe=false").json()["name"] for i in range(60)]
    assert not all(map(is_safe, unsafe))
    first = named[0]
    again = {"seed": first["seed"], "offset": first["offset"], "n": 1, "safe": "true"}
    assert generate(client, **again)["names"] == [first["name"]]


def test_compared_names_are_safe(client: httpx.Client, expected: list[str]) -> None:
    answer = client.get("/compare?seed=7&n=100").json()
    assert answer["models"][0]["names"] == expected
    assert answer["safe_list"] == generate(client)["safe_list"]
    assert client.get("/compare?seed=7&n=100&safe=false").json()["safe"] is False


def test_names_of_the_pool_are_safe_and_are_given_again(client: httpx.Client) -> None:
    await_pool(client)
    response = client.get("/generate?n=500")
    answer = response.json()
    assert len(answer["names"]) == 500
    assert all(map(is_safe, answer["names"]))
    again = {key: answer[key] for key in ("seed", "offset", "n", "safe")}
    assert client.get("/generate", params=again | {"safe": "true"}).content == response.content


def test_the_command_is_safe_as_asked_or_set(expected: list[str], tmp_path: Path) -> None:
    given = {"NAMEWRIGHT_DEFAULT_MODEL": "bigram", "NAMEWRIGHT_UNSAFE_WORDS": write_list(tmp_path)}
    command = [sys.executable, "-m", "app", "generate", "-n", "100", "--seed", "7"]
    for option, setting, safe in (("--safe", "false", 1), ("--no-safe", "true", 0), (None, "1", 1)):
        environment = os.environ | {key: str(value) for key, value in given.items()}
        environment["NAMEWRIGHT_SAFE"] = setting
        ran = subprocess.run(
            [*command, *filter(None, [option])], cwd=ROOT, env=environment, capture_output=True
        )
        assert (ran.returncode, ran.stderr) == (0, b"")
        assert (ran.stdout.decode().split() == expected) == safe


# ------------------------------------------------------------------ OpenAI's clients


def test_a_choice_that_is_not_safe_is_emptied_and_the_others_stay(service: Service) -> None:
    with client_of(service) as ai:
        given: dict[str, Any] = {"model": "bigram", "prompt": "ma", "seed": 7, "n": 60}
        given["max_tokens"] = 6
        safe = checked(ai.completions.create(**given))
        plain = checked(ai.completions.create(**given, extra_body={"safe": False}))
        reasons = [choice.finish_reason for choice in safe.choices]
        assert len({*reasons}) == 3  # also some that are cut
        for choice, other in zip(safe.choices, plain.choices, strict=True):
            if is_safe("ma" + other.text):
                assert choice == other
            else:
                assert (choice.text, choice.finish_reason) == ("", "content_filter")
        assert plain.model_dump()["safe_list"] is None
        assert safe.model_dump()["safe_list"] == generate(service.client)["safe_list"]
        assert "content_filter" not in [choice.finish_reason for choice in plain.choices]
        assert safe.usage is not None
        ends = reasons.count("stop")
        assert safe.usage.completion_tokens == sum(map(len, texts(safe))) + ends


def test_a_streamed_choice_is_sent_when_it_is_known_to_be_safe(service: Service) -> None:
    with client_of(service) as ai:
        given: dict[str, Any] = {"model": "bigram", "seed": 7, "n": 60, "max_tokens": 40}
        given |= {"prompt": "el", "echo": True, "logprobs": 1}
        whole = ai.completions.create(**given)
        found = {}
        for chunk in ai.completions.create(**given, stream=True):
            for choice in chunk.choices:
                assert choice.index not in found
                found[choice.index] = choice.model_dump()
        assert [found[i] for i in range(60)] == [choice.model_dump() for choice in whole.choices]
        assert any(len(choice.text) > 18 for choice in whole.choices)  # more than one draw of it
        emptied = [each for each in whole.choices if each.finish_reason == "content_filter"]
        assert emptied
        for each in emptied:
            assert each.text == "el"
            assert each.logprobs is not None
            assert each.logprobs.tokens == ["e", "l"]


def test_what_is_only_scored_is_not_filtered(service: Service) -> None:
    with client_of(service) as ai:
        given: dict[str, Any] = {"model": "bigram", "max_tokens": 0, "echo": True, "logprobs": 0}
        [choice] = ai.completions.create(prompt="ana", **given).choices
        assert (choice.text, choice.finish_reason) == ("ana", "length")


# ------------------------------------------------------------------ running text


def test_running_text_is_not_filtered_and_says_so(service: Service) -> None:
    client = service.client
    given = {"model": "korean-gpt", "n": 1, "max_length": 10, "seed": 1}
    assert generate(client, **given)["safe"] is False
    refused = client.get("/generate", params=given | {"safe": "true"})
    assert "running text" in assert_problem(refused, 422, "safe")["detail"]
    body = {"model": "korean-gpt", "max_tokens": 5, "safe": True}
    assert_problem(client.post("/v1/completions", json=body), 422, "safe")
    assert client.post("/v1/completions", json=body | {"safe": None}).status_code == 200
    assert "NAMEWRIGHT_SAFE is not for running text: not for korean-gpt" in service.log.read_text()
    models = client.get("/models").json()["models"]
    defaults = {model["id"]: model["defaults"]["safe"] for model in models}
    assert defaults == {"bigram": True, "korean-gpt": False}


# ------------------------------------------------------------------ values, caches


@pytest.mark.parametrize("value", ["", "yes", "True", "2"])
def test_another_value_is_refused(client: httpx.Client, value: str) -> None:
    assert_problem(client.get("/generate", params={"safe": value}), 422, "safe")
    assert_problem(client.post("/v1/completions", json={"safe": value}), 422, "safe")


def test_another_list_gives_another_etag_and_none_is_immutable(
    client: httpx.Client, serve: Serve, tmp_path: Path
) -> None:
    def ask(of: httpx.Client, **query: str) -> httpx.Headers:
        # Names that no list has an entry for: the bytes differ in the hash of the list alone.
        given = {"seed": "7", "n": "2", "suffix": "y", "model": "bigram"} | query
        return of.get("/generate", params=given, headers={"Accept-Encoding": "identity"}).headers

    fingerprint = generate(client)["fingerprint"]
    with serve(UNSAFE_WORDS=write_list(tmp_path, "*n\n"), **SERVED) as other:
        assert ask(client)["etag"] == ask(client, safe="true")["etag"]
        assert ask(client)["etag"] != ask(other.client, safe="true")["etag"]
        assert ask(other.client)["etag"] == ask(client, safe="false")["etag"]
    assert ask(client, fingerprint=fingerprint)["cache-control"] == "public, max-age=86400"
    unsafe = ask(client, fingerprint=fingerprint, safe="false")
    assert "immutable" in unsafe["cache-control"]

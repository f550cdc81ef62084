"""The formats of /generate, chosen by `format` or by Accept, on a real server."""

import csv
import io
import json
from typing import Any

import httpx
import pytest

from models.vocabulary import normalize
from tests.service.conftest import assert_problem

MEDIA_TYPES = {
    "json": "application/json",
    "jsonl": "application/jsonl",
    "text": "text/plain; charset=utf-8",
    "csv": "text/csv; header=present; charset=utf-8",
}
GIVEN = {"model": "bigram", "seed": "emma", "n": "40", "max_length": "6"}


def ask(client: httpx.Client, accept: str | None = None, **parameters: str) -> httpx.Response:
    """An answer; with no Accept at all if none is given."""
    request = client.build_request("GET", "/generate", params=GIVEN | parameters)
    del request.headers["accept"]
    if accept is not None:
        request.headers["accept"] = accept
    return client.send(request)


def rows(response: httpx.Response) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(response.content.decode(), newline="")))


def scored(client: httpx.Client, **parameters: str) -> list[dict[str, Any]]:
    names: list[dict[str, Any]] = ask(client, scores="true", **parameters).json()["names"]
    return names


@pytest.mark.parametrize("form", MEDIA_TYPES)
def test_a_format_that_is_given_wins_over_accept(client: httpx.Client, form: str) -> None:
    for accept in (None, "*/*", "image/png", "application/json"):
        response = ask(client, accept, format=form)
        assert response.status_code == 200
        assert response.headers["content-type"] == MEDIA_TYPES[form]
        assert "Accept" not in response.headers.get("vary", "").split(", ")


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        (None, "json"),
        ("", "json"),
        ("*/*", "json"),
        ("application/json", "json"),
        ("application/jsonl", "jsonl"),
        ("text/plain", "text"),
        ("text/csv", "csv"),
        ("text/*", "text"),
        ("text/csv;q=0.9, text/plain;q=0.8", "csv"),
        ("text/csv;header=present", "csv"),
        ("*/*;q=0.1, text/csv", "csv"),
        ("application/json;q=0, */*", "jsonl"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "json"),
    ],
)
def test_without_a_format_accept_decides(
    client: httpx.Client, accept: str | None, form: str
) -> None:
    response = ask(client, accept)
    assert response.headers["content-type"] == MEDIA_TYPES[form]
    assert response.headers["vary"].split(", ")[0] == "Accept"
    assert response.content == ask(client, format=form).content


def test_several_accept_headers_are_one_list(client: httpx.Client) -> None:
    headers = [("Accept", "image/png"), ("Accept", "text/csv;q=0.5"), ("Accept", "text/plain;q=0")]
    response = httpx.get(f"{client.base_url}/generate", headers=headers, trust_env=False)
    assert response.headers["content-type"] == MEDIA_TYPES["csv"]


@pytest.mark.parametrize(
    "accept", ["image/png", "text/html", "*/*;q=0", "json", ";", "text/csv;q=x", "a," * 8_000]
)
def test_an_accept_that_nothing_satisfies_is_406_and_names_what_there_is(
    client: httpx.Client, accept: str
) -> None:
    detail = assert_problem(ask(client, accept), 406, "Accept")["detail"]
    for media_type in MEDIA_TYPES.values():
        assert media_type.partition(";")[0] in detail


@pytest.mark.parametrize("value", ["", "xml", "JSON", "sse", "text/csv", "json "])
def test_an_unknown_format_is_refused_and_the_known_ones_are_named(
    client: httpx.Client, value: str
) -> None:
    detail = assert_problem(ask(client, format=value), 422, "format")["detail"]
    assert all(form in detail for form in MEDIA_TYPES)


@pytest.mark.parametrize("model", ["bigram", "gru-ngram", "korean-gpt"])
def test_every_format_has_the_same_names(client: httpx.Client, model: str) -> None:
    given = {"model": model, "max_length": "9"}
    expected = scored(client, **given)
    names = [each["name"] for each in expected]
    assert ask(client, format="text", **given).content.decode() == "".join(f"{n}\n" for n in names)
    *lines, end = ask(client, format="jsonl", scores="true", **given).content.splitlines()
    assert [json.loads(line) for line in lines] == expected
    assert json.loads(end)["end"] == "complete"
    table = rows(ask(client, format="csv", scores="true", **given))
    assert [
        {"name": row["name"], "index": int(row["index"]), "nll": float(row["nll"])} for row in table
    ] == expected
    assert [row["name"] for row in rows(ask(client, format="csv", **given))] == names


def test_jsonl_is_byte_for_byte_the_stream(client: httpx.Client) -> None:
    for scores in ("true", "false"):
        streamed = client.get("/generate/stream", params=GIVEN | {"scores": scores})
        assert ask(client, format="jsonl", scores=scores).content == streamed.content


def test_names_that_could_not_be_found_leave_an_end_that_says_so(client: httpx.Client) -> None:
    barren = {"temperature": "0", "prefix": "q", "max_length": "1", "n": "2"}
    whole = ask(client, **barren).json()
    end = json.loads(ask(client, format="jsonl", **barren).content)
    assert (end["end"], end["count"]) == ("exhausted", 0)
    assert end["next_offset"] == whole["next_offset"] == 1020
    assert ask(client, format="text", **barren).content == b""
    assert ask(client, format="csv", **barren).content == b"name,index\n"


@pytest.mark.parametrize("form", ["text", "csv", "jsonl"])
@pytest.mark.parametrize("seed", [{}, {"seed": "42"}, {"seed": "한국 emma"}])
def test_what_replays_and_continues_names_is_in_the_headers(
    client: httpx.Client, form: str, seed: dict[str, str]
) -> None:
    given = {"model": "bigram", "max_length": "5", "n": "20", "format": form} | seed
    first = client.get("/generate", params=given)
    told = {
        name.removeprefix("x-namewright-"): value
        for name, value in first.headers.items()
        if name.startswith("x-namewright-")
    }
    assert set(told) == {"seed", "model", "fingerprint", "next-offset"}
    replayed = given | {"seed": told["seed"], "fingerprint": told["fingerprint"], "format": "json"}
    whole = client.get("/generate", params=replayed | {"n": "40"}).json()
    rest = client.get("/generate", params=replayed | {"offset": told["next-offset"]}).json()
    again = client.get("/generate", params=replayed).json()
    assert again["names"] + rest["names"] == whole["names"]
    assert all(name in first.text for name in again["names"])
    assert again["model"] == told["model"]


def test_json_has_no_such_headers(client: httpx.Client) -> None:
    assert not [name for name in ask(client).headers if name.startswith("x-namewright")]


def test_scores_have_no_place_in_text(client: httpx.Client) -> None:
    for response in (
        ask(client, format="text", scores="true"),
        ask(client, "text/plain", scores="true"),
    ):
        assert "json, jsonl and csv" in assert_problem(response, 422, "scores")["detail"]


def test_errors_are_problems_whatever_is_accepted(client: httpx.Client) -> None:
    assert_problem(ask(client, "text/csv", n="0"), 422, "n")
    assert_problem(ask(client, format="text", prefix="E"), 422, "prefix")


def test_running_text_keeps_its_newlines_in_csv_and_computes_nothing(
    client: httpx.Client,
) -> None:
    given = {"model": "korean-gpt", "max_length": "12", "prefix": normalize("\n조선"), "n": "5"}
    (first, *_) = table = rows(ask(client, format="csv", **given))
    assert first["name"].startswith("'\n조선")
    names = [each["name"] for each in scored(client, **given)]
    assert [row["name"].removeprefix("'") for row in table] == names


def test_the_description_names_every_media_type(client: httpx.Client) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    for method in ("get", "post"):
        described = paths["/generate"][method]["responses"]["200"]
        assert set(described["content"]) == {
            each.partition(";")[0] for each in MEDIA_TYPES.values()
        }
        assert "X-Namewright-Next-Offset" in described["headers"]

"""GET /generate/stream on a real server: the names of /generate, in one answer of any length."""

import json
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

import httpx
import pytest

from app.stream_schemas import StreamedName, StreamEnd
from tests.service.conftest import assert_problem

BIGRAM = {"MODELS": "bigram", "DEFAULT_MODEL": "bigram"}
PASSED_OVER = {"model": "bigram", "seed": "42", "max_length": "6"}  # so indexes have gaps
SHORT = "/generate?n=1&seed=1"

BARREN = {"model": "bigram", "temperature": 0, "prefix": "q", "max_length": 1}  # after q comes u

Lines = list[dict[str, Any]]
Event = dict[str, str]


def stream(client: httpx.Client, **parameters: object) -> Lines:
    """The lines of a whole stream, checked against the documented models."""
    query = {key: str(value) for key, value in parameters.items()}
    response = client.get("/generate/stream", params=query)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/jsonl"
    *names, end = response.content.splitlines()
    for line in names:
        StreamedName.model_validate_json(line, strict=True, extra="forbid")
    StreamEnd.model_validate_json(end, extra="forbid")
    return [json.loads(line) for line in (*names, end)]


def pages(client: httpx.Client, n: int, **parameters: object) -> Lines:
    """The same names by /generate, with their scores, a page after the other."""
    found: Lines = []
    offset = int(str(parameters.pop("offset", 0)))
    while len(found) < n:
        query = parameters | {"scores": "true", "offset": offset, "n": min(700, n - len(found))}
        page = client.get("/generate", params={k: str(v) for k, v in query.items()}).json()
        found += page["names"]
        offset = page["next_offset"]
    return found


def without_scores(lines: Lines) -> Lines:
    return [{key: line[key] for key in ("name", "index")} for line in lines]


def read_events(lines: Iterator[str]) -> Iterator[Event]:
    """Server-sent events as their specification reads them."""
    event: Event = {}
    for line in lines:
        if line:
            field, _, value = line.partition(": ")
            assert field in ("id", "event", "data", "retry")
            assert field not in event
            event[field] = value
        elif event:
            yield event
            event = {}
    assert not event


def events(client: httpx.Client, last_event_id: str = "", **parameters: object) -> list[Event]:
    """All events of a stream that ends by itself."""
    query = {"format": "sse"} | {key: str(value) for key, value in parameters.items()}
    headers = {"Last-Event-ID": last_event_id} if last_event_id else {}
    response = client.get("/generate/stream", params=query, headers=headers)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].partition(";")[0] == "text/event-stream"
    return list(read_events(iter(response.text.split("\n"))))


def names_of(found: list[Event]) -> Lines:
    return [json.loads(event["data"]) for event in found if "event" not in event]


# ------------------------------------------------------------------------- names


@pytest.mark.parametrize("model", ["bigram", "gru", "mixture"])
def test_a_stream_has_the_names_of_generate(client: httpx.Client, model: str) -> None:
    given = {"model": model, "seed": 42, "max_length": 6, "temperature": 0.8}
    *names, end = stream(client, n=1500, scores="true", **given)
    assert names == pages(client, 1500, **given)
    assert end["next_offset"] == names[-1]["index"] + 1 > 1500


def test_without_scores_a_line_has_the_name_and_its_index(client: httpx.Client) -> None:
    *names, _ = stream(client, n=50, **PASSED_OVER)
    assert names == without_scores(pages(client, 50, **PASSED_OVER))


def test_a_stream_of_running_text_keeps_one_line_an_item(client: httpx.Client) -> None:
    given = {"model": "korean-gpt", "seed": 1, "max_length": 12}
    *texts, _ = stream(client, n=40, scores="true", **given)
    assert texts == pages(client, 40, **given)


def test_offset_and_next_offset_continue_a_stream(client: httpx.Client) -> None:
    whole = stream(client, n=900, **PASSED_OVER)
    first = stream(client, n=400, **PASSED_OVER)
    rest = stream(client, n=500, offset=first[-1]["next_offset"], **PASSED_OVER)
    assert first[:-1] + rest[:-1] == whole[:-1]
    assert rest[-1]["next_offset"] == whole[-1]["next_offset"]


def test_the_last_line_has_the_parameters_as_generate_echoes_them(client: httpx.Client) -> None:
    given = {"model": "gru", "seed": "emma", "offset": 5, "temperature": 0.5, "top_k": 9}
    given |= {"top_p": 0.9, "min_p": 0.01, "prefix": "ma", "min_length": 3, "n": 20}
    end = stream(client, **given)[-1]
    echoed = client.get("/generate", params=given).json()
    assert {key: end[key] for key in set(end) - {"end", "count"}} == {
        key: echoed[key] for key in set(end) - {"end", "count"}
    }
    assert (end["end"], end["count"]) == ("complete", 20)


def test_an_unseeded_stream_is_replayed_by_the_seed_in_its_headers_and_its_end(
    client: httpx.Client,
) -> None:
    response = client.get("/generate/stream?n=30&model=bigram")
    *names, end = [json.loads(line) for line in response.content.splitlines()]
    assert response.headers["x-namewright-seed"] == str(end["seed"])
    assert response.headers["x-namewright-fingerprint"] == end["fingerprint"]
    assert response.headers["x-namewright-model"] == end["model"] == "bigram"
    assert stream(client, n=30, model="bigram", seed=end["seed"]) == [*names, end]


def test_the_seed_in_the_headers_stands_for_a_text_seed_too(client: httpx.Client) -> None:
    given = {"n": "5", "model": "bigram", "seed": "한국 emma"}
    response = client.get("/generate/stream", params=given)
    again = client.get(
        "/generate/stream", params=given | {"seed": response.headers["x-namewright-seed"]}
    )
    assert again.content.splitlines()[:-1] == response.content.splitlines()[:-1]


def test_without_n_a_stream_has_no_end(client: httpx.Client) -> None:
    with client.stream("GET", "/generate/stream", params=PASSED_OVER) as response:
        names = [json.loads(line) for line in islice(response.iter_lines(), 5000)]
    assert names[:2000] == without_scores(pages(client, 2000, **PASSED_OVER))
    assert all("name" in line for line in names)


def test_a_stream_that_finds_no_name_any_more_says_so_and_ends(client: httpx.Client) -> None:
    lines = stream(client, n=10, offset=7, seed=1, **BARREN)
    assert len(lines) == 1
    assert lines[0]["end"] == "exhausted"
    assert (lines[0]["count"], lines[0]["next_offset"]) == (0, 100_007)


# -------------------------------------------------------------- server-sent events


def test_events_have_the_lines_of_a_stream(client: httpx.Client) -> None:
    found = events(client, n=1200, scores="true", **PASSED_OVER)
    *names, end = stream(client, n=1200, scores="true", **PASSED_OVER)
    assert names_of(found) == names
    assert found[0]["event"] == "start"
    assert int(found[0]["retry"]) > 0
    assert found[-1]["event"] == "end"
    assert json.loads(found[-1]["data"]) == end
    about = json.loads(found[0]["data"])
    assert about == {key: end[key] for key in about}


@pytest.mark.parametrize("seed", [{}, {"seed": "42"}, {"seed": "emma"}])
def test_a_stream_is_resumed_after_any_event_even_if_the_server_drew_its_seed(
    client: httpx.Client, seed: dict[str, str]
) -> None:
    given = {"model": "bigram", "max_length": 5, "n": 60} | seed
    whole = events(client, **given)
    for cut in (1, 2, 31, 59):
        rest = events(client, whole[cut]["id"], **given)
        assert rest[1:] == whole[cut + 1 :]


@pytest.mark.parametrize("given", [{"model": "bigram"}, BARREN])
def test_an_event_source_that_comes_back_after_the_end_is_told_to_stop(
    client: httpx.Client, given: dict[str, object]
) -> None:
    given = given | {"seed": 1, "n": 5}
    query = {"format": "sse"} | {key: str(value) for key, value in given.items()}
    for event in events(client, **given)[-2:]:
        if "id" in event:
            headers = {"Last-Event-ID": event["id"]}
            response = client.get("/generate/stream", params=query, headers=headers)
            assert (response.status_code, response.content) == (204, b"")


@pytest.mark.parametrize(
    "last_event_id",
    [
        "5",
        "x",
        "43-5-5",
        "42-5",
        "42-5-5-5",
        "42--5-5",
        f"{2**64}-5-5",
        "42-5-5x",
        "42-2-2",
        "٤-1-1",
    ],
)
def test_a_last_event_id_of_no_such_stream_is_refused(
    client: httpx.Client, last_event_id: str
) -> None:
    response = client.get(
        "/generate/stream?n=9&format=sse&seed=42&model=bigram&offset=3",
        headers={"Last-Event-ID": last_event_id.encode()},
    )
    assert_problem(response, 422, "Last-Event-ID")


# ----------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("n=0", "n"),
        ("n=1000001", "n"),
        ("n=1e3", "n"),
        ("format=xml", "format"),
        ("format=JSONL", "format"),
        ("format=", "format"),
        ("format=jsonl&format=sse", "format"),
        ("temperature=11", "temperature"),
        ("offset=-1", "offset"),
        ("min_length=5&max_length=4", "min_length"),
        ("max_length=100", "max_length"),
        ("prefix=E", "prefix"),
        ("seed=", "seed"),
        ("word=emma", "word"),
        ("last_event_id=42-1-1", "last_event_id"),
    ],
)
def test_a_bad_parameter_is_refused_before_the_stream_begins(
    client: httpx.Client, query: str, parameter: str
) -> None:
    assert_problem(client.get(f"/generate/stream?model=bigram&{query}"), 422, parameter)


def test_an_unknown_model_is_404(client: httpx.Client) -> None:
    assert_problem(client.get("/generate/stream?model=nope"), 404, "model")


def test_the_description_names_both_media_types(client: httpx.Client) -> None:
    description = client.get("/openapi.json").json()
    operation = description["paths"]["/generate/stream"]["get"]
    assert set(operation["responses"]["200"]["content"]) == {
        "application/jsonl",
        "text/event-stream",
    }
    refs = re.findall(r'"#/(.*?)(\w+)"', json.dumps(operation))
    assert {folder for folder, _ in refs} == {"components/schemas/"}
    assert {name for _, name in refs} <= set(description["components"]["schemas"])
    assert {"n", "format", "Last-Event-ID"} < {each["name"] for each in operation["parameters"]}

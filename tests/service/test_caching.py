"""How long answers may be kept, and fingerprints that are pinned, on a real server."""

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from app.schemas import GenerateQuery
from tests.service.conftest import Serve, assert_problem

SEEDED = {"model": "bigram", "seed": "42", "n": "20"}
CONDITIONS = [
    {"temperature": "0.5"},
    {"top_k": "5"},
    {"top_p": "0.5"},
    {"min_p": "0.5"},
    {"prefix": "a"},
    {"min_length": "2"},
    {"max_length": "9"},
    {"suffix": "a"},
    {"contains": "a"},
    {"pattern": "?*a"},
    {"exclude": "q"},
    {"novel": "true"},
    {"safe": "true"},
]
OTHERS = [
    {"seed": "43"},
    {"seed": "emma"},
    {"n": "21"},
    {"offset": "1"},
    {"model": "ngram"},
    *CONDITIONS,
    {"unique": "true"},
    {"scores": "true"},
    {"format": "text"},
    {"format": "csv"},
    {"format": "jsonl"},
]


def ask(client: httpx.Client, known: str | None = None, **parameters: str) -> httpx.Response:
    # Uncompressed, so that ETags are strong.
    headers = {"Accept-Encoding": "identity"} | ({"If-None-Match": known} if known else {})
    return client.get("/generate", params=SEEDED | parameters, headers=headers)


# --------------------------------------------------------------------------- ETags


def test_equal_etags_are_equal_bytes_and_other_parameters_have_others(
    client: httpx.Client,
) -> None:
    found: dict[str, bytes] = {}
    for parameters in [{}, *OTHERS]:
        response = ask(client, **parameters)
        assert response.headers["etag"] not in found
        found[response.headers["etag"]] = response.content
    assert len(set(found.values())) == len(found)


SAME = [
    {"offset": "0"},
    {"temperature": "1.0"},
    {"seed": "042"},
    {"prefix": ""},
    {"format": "json"},
    {"scores": "0"},
    {"safe": "false"},
    {"max_length": "64"},
]


def test_every_parameter_counts() -> None:
    tried = {name for parameters in OTHERS for name in parameters}
    assert tried | {"fingerprint"} == set(GenerateQuery.model_fields), "add it to OTHERS"


@pytest.mark.parametrize("parameters", SAME)
def test_other_ways_to_say_the_same_have_the_same_etag(
    client: httpx.Client, parameters: dict[str, str]
) -> None:
    first, other = ask(client), ask(client, **parameters)
    assert other.content == first.content
    assert other.headers["etag"] == first.headers["etag"]


def test_a_seed_as_text_and_as_an_integer_are_told_apart_where_they_are_echoed(
    client: httpx.Client,
) -> None:
    one, two = (ask(client, seed=seed) for seed in ("caf\u00e9", "cafe\u0301"))
    assert one.json()["names"] == two.json()["names"]
    assert one.content != two.content
    assert one.headers["etag"] != two.headers["etag"]


@pytest.mark.parametrize("parameters", [{}, {"format": "csv"}, {"fingerprint": "its own"}])
def test_those_who_have_it_are_told_so_and_no_more(
    client: httpx.Client, parameters: dict[str, str]
) -> None:
    if "fingerprint" in parameters:
        parameters = {"fingerprint": ask(client).json()["fingerprint"]}
    first = ask(client, **parameters)
    etag = first.headers["etag"]
    for known in (etag, f"W/{etag}", f'"other", {etag}', f'{etag} ,"x"', "*", f"garbage, {etag}"):
        response = ask(client, known, **parameters)
        assert (response.status_code, response.content) == (304, b""), known
        assert response.headers["etag"].removeprefix("W/") == etag
        assert response.headers["cache-control"] == first.headers["cache-control"]
        assert response.headers.get("vary", "").startswith(first.headers.get("vary", ""))
        assert "content-type" not in response.headers


@pytest.mark.parametrize(
    "known", ['"other"', "garbage", '"', "W/", "*, *", ",", "\xff", '"x' * 5_000]
)
def test_those_who_have_something_else_get_the_names(client: httpx.Client, known: str) -> None:
    response = client.get(
        "/generate", params=SEEDED, headers={"If-None-Match": known.encode("latin-1")}
    )
    assert response.status_code == 200
    assert response.json() == ask(client).json()


def test_an_etag_holds_over_a_restart_and_on_any_server(client: httpx.Client, serve: Serve) -> None:
    etag = ask(client).headers["etag"]
    with serve(MODELS="bigram", DEFAULT_MODEL="bigram") as other:
        assert ask(other.client, etag).status_code == 304


def test_nothing_is_drawn_for_those_who_have_it(client: httpx.Client, serve: Serve) -> None:
    etag = ask(client).headers["etag"]
    rare = "/generate?n=1000&min_length=40"
    with (
        serve(QUEUE_SIZE=1, MODELS="bigram", DEFAULT_MODEL="bigram") as full,
        ThreadPoolExecutor(3) as others,
    ):
        # There is but one place to draw, and it is taken nearly all the time.
        busy = [others.submit(full.client.get, rare) for _ in range(60)]
        found = [ask(full.client, etag).status_code for _ in range(300)]
        assert 503 in {each.result().status_code for each in busy}
    assert set(found) == {304}


def test_a_request_in_error_is_an_error_whatever_its_caller_has(client: httpx.Client) -> None:
    assert_problem(ask(client, "*", prefix="E"), 422, "prefix")
    assert_problem(ask(client, "*", max_length="1000"), 422, "max_length")
    assert_problem(ask(client, "*", format="text", scores="true"), 422, "scores")
    assert_problem(ask(client, "*", fingerprint="0" * 16), 409, "fingerprint")


# -------------------------------------------------------------------- Cache-Control


@pytest.mark.parametrize("query", ["", "?n=5", "?n=5&model=bigram&temperature=2", "?format=csv"])
def test_what_no_one_is_given_again_is_not_kept(client: httpx.Client, query: str) -> None:
    response = client.get(f"/generate{query}", headers={"If-None-Match": "*"})
    assert response.status_code == 200
    assert response.headers["cache-control"] == "no-store"
    assert "etag" not in response.headers


def test_what_a_seed_gives_is_kept_a_day_and_with_a_fingerprint_for_good(
    client: httpx.Client,
) -> None:
    first = ask(client)
    assert first.headers["cache-control"] == "public, max-age=86400"
    pinned = ask(client, fingerprint=first.json()["fingerprint"])
    assert pinned.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert pinned.content == first.content


def test_errors_are_not_kept(client: httpx.Client) -> None:
    assert "cache-control" not in ask(client, n="0").headers


# -------------------------------------------------------------------- fingerprints


def test_a_pinned_fingerprint_changes_no_answer(client: httpx.Client) -> None:
    pin = client.get("/models/bigram").json()["fingerprint"]
    streamed = {"model": "bigram", "seed": "1", "n": "3"}
    for path, query in [
        ("/generate", SEEDED),
        ("/generate/stream", streamed),
        ("/score", {"model": "bigram", "word": "emma"}),
    ]:
        plain = client.get(path, params=query)
        assert plain.status_code == 200
        assert client.get(path, params=query | {"fingerprint": pin}).content == plain.content
    body = {"model": "bigram", "words": ["emma"], "fingerprint": pin}
    assert client.post("/score", json=body).status_code == 200
    assert client.get(f"/generate?n=3&model=bigram&fingerprint={pin}").json()["fingerprint"] == pin


@pytest.mark.parametrize("other", ["0" * 16, "x", "😀", "A035FBE0D8345911"])
def test_another_fingerprint_is_409_and_the_served_one_is_told(
    client: httpx.Client, other: str
) -> None:
    pin = client.get("/models/bigram").json()["fingerprint"]
    query = {"model": "bigram", "fingerprint": other}
    for response in (
        client.get("/generate", params=query),
        client.get("/generate", params=query | {"seed": "1"}),
        client.post("/generate", json=query),
        client.get("/generate/stream", params=query),
        client.get("/score", params=query | {"word": "emma"}),
        client.post("/score", json=query | {"words": ["emma"]}),
    ):
        detail = assert_problem(response, 409, "fingerprint")["detail"]
        assert "bigram" in detail
        assert pin in detail


@pytest.mark.parametrize("value", ["", "0" * 65])
def test_what_cannot_be_a_fingerprint_is_refused(client: httpx.Client, value: str) -> None:
    for path in ("/generate", "/generate/stream", "/score"):
        query = {"fingerprint": value} | ({"word": "emma"} if path == "/score" else {})
        assert_problem(client.get(path, params=query), 422, "fingerprint")

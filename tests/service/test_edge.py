"""HEAD, gzip and other origins, on a real server: for every route, errors included."""

import asyncio
import gzip
import json
from collections.abc import Iterator

import httpx
import pytest

from app.main import create_app
from app.settings import Settings
from tests.exact import CHECKPOINTS
from tests.service.conftest import Serve, Service, assert_problem, exchange, serving

ORIGIN = "https://names.example"
ALONE = {"MODELS": "bigram", "DEFAULT_MODEL": "bigram"}
LONG, SHORT = "/generate?n=1000&seed=1&model=bigram", "/generate?n=1&seed=1&model=bigram"
PLAIN = {"Accept-Encoding": "identity"}
ZIPPED = {"Accept-Encoding": "gzip"}


@pytest.fixture(scope="module")
def open_client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of a service whose answers pages of ORIGIN may read."""
    log = tmp_path_factory.mktemp("open") / "log"
    with serving(log, CORS_ORIGINS=f"{ORIGIN}, http://localhost:3000", **ALONE) as running:
        yield running.client


# ---------------------------------------------------------------------------- HEAD


@pytest.mark.parametrize(
    "path",
    [
        SHORT,
        LONG,
        "/generate?seed=1&model=bigram&format=csv",
        "/score?word=emma&model=bigram",
        "/models",
        "/models/bigram",
        "/models/bigram/plots",
        "/models/bigram/plots/nll.svg",
        "/livez",
        "/readyz",
        "/version",
        "/openapi.json",
        "/generate?n=0",
        "/models/nope",
        "/nowhere",
    ],
)
def test_head_is_get_without_the_body(client: httpx.Client, path: str) -> None:
    got, head = client.get(path), client.head(path)
    assert head.content == b""
    assert head.status_code == got.status_code
    its_own = {"date", "x-request-id"}
    told = {name: value for name, value in head.headers.items() if name not in its_own}
    expected = {name: value for name, value in got.headers.items() if name not in its_own}
    if got.status_code >= 400:  # it has the request's id, and may have another length
        assert told.pop("content-length")
        assert expected.pop("content-length")
    assert told == expected


def test_head_is_conditional_too(client: httpx.Client) -> None:
    etag = client.head(LONG).headers["etag"]
    assert client.head(LONG, headers={"If-None-Match": etag}).status_code == 304


def test_nothing_comes_after_the_head(service: Service) -> None:
    raw = exchange(
        service.port,
        f"HEAD {LONG} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n".encode(),
    )
    assert raw.startswith(b"HTTP/1.1 200")
    assert raw.endswith(b"\r\n\r\n")
    assert raw.count(b"\r\n\r\n") == 1


def test_the_head_of_an_endless_stream_ends_and_frees_its_place(serve: Serve) -> None:
    with serve(QUEUE_SIZE=1, **ALONE) as service:
        for _ in range(20):
            # Refused while the place is taken, which must come to an end.
            heads = (service.client.head("/generate/stream?seed=1") for _ in range(1000))
            response = next(head for head in heads if head.status_code == 200)
            assert response.headers["x-namewright-seed"] == "1"
        assert 200 in (service.client.get(SHORT).status_code for _ in range(1000))
        assert {service.client.get(SHORT).status_code for _ in range(20)} == {200}


def test_a_path_without_get_has_no_head(client: httpx.Client) -> None:
    for path in {"/generate", "/score", "/models"}:
        allowed = client.put(path).headers["allow"].split(", ")
        assert ("HEAD" in allowed) == ("GET" in allowed)


# ---------------------------------------------------------------------------- gzip


def test_a_large_answer_is_compressed_for_those_who_take_it(client: httpx.Client) -> None:
    plain, zipped = (client.get(LONG, headers=headers) for headers in (PLAIN, ZIPPED))
    assert "content-encoding" not in plain.headers
    assert zipped.headers["content-encoding"] == "gzip"
    assert int(zipped.headers["content-length"]) < int(plain.headers["content-length"]) / 2
    assert zipped.content == plain.content
    for response in (plain, zipped):
        assert "Accept-Encoding" in response.headers["vary"].split(", ")


def test_the_compressed_bytes_are_not_said_to_be_the_plain_ones(client: httpx.Client) -> None:
    plain, zipped = (client.get(LONG, headers=headers) for headers in (PLAIN, ZIPPED))
    assert zipped.headers["etag"] == f"W/{plain.headers['etag']}"
    for known in (plain, zipped):
        headers = ZIPPED | {"If-None-Match": known.headers["etag"]}
        again = client.get(LONG, headers=headers)
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == known.headers["etag"]
        assert "Accept-Encoding" in again.headers["vary"]


def test_a_small_answer_is_as_it_is(client: httpx.Client) -> None:
    response = client.get(SHORT, headers=ZIPPED)
    assert "content-encoding" not in response.headers
    assert "Accept-Encoding" not in response.headers.get("vary", "")


@pytest.mark.parametrize("unwanted", ["", "br", "gzip;q=0", "identity, *;q=0", "x" * 16_000])
def test_those_who_do_not_take_gzip_get_none(client: httpx.Client, unwanted: str) -> None:
    response = client.get(LONG, headers={"Accept-Encoding": unwanted})
    assert "content-encoding" not in response.headers
    assert response.json()["n"] == 1000


def test_scores_of_many_words_are_compressed_whole(client: httpx.Client) -> None:
    names = client.get(LONG).json()["names"]
    body = {"words": names, "model": "bigram"}
    plain, zipped = (client.post("/score", json=body, headers=each) for each in (PLAIN, ZIPPED))
    assert len(plain.content) > 100_000
    assert zipped.headers["content-encoding"] == "gzip"
    assert zipped.content == plain.content


def test_the_page_is_compressed_and_a_part_of_a_file_is_not(client: httpx.Client) -> None:
    url = "/static/style.css"
    whole, plain = (client.get(url, headers=headers) for headers in (ZIPPED, PLAIN))
    assert whole.headers["content-encoding"] == "gzip"
    assert whole.content == plain.content
    part = client.get(url, headers=ZIPPED | {"Range": "bytes=0-1999"})
    assert part.status_code == 206
    assert "content-encoding" not in part.headers
    assert part.content == plain.content[:2000]


def test_a_picture_is_compressed(client: httpx.Client) -> None:
    stored = (CHECKPOINTS / "bigram" / "plots" / "bigrams.svg").read_bytes()
    response = client.get("/models/bigram/plots/bigrams.svg", headers=ZIPPED)
    assert response.headers["content-encoding"] == "gzip"
    assert response.content == stored


@pytest.mark.parametrize("form", ["jsonl", "sse"])
def test_a_stream_is_never_compressed_and_gives_each_name_when_it_is_there(
    client: httpx.Client, form: str
) -> None:
    url = f"/generate/stream?model=bigram&format={form}"  # without end: held back, nothing came
    with client.stream("GET", url, headers=ZIPPED) as response:
        assert "content-encoding" not in response.headers
        assert "content-length" not in response.headers
        lines = response.iter_lines()
        first = [next(lines) for _ in range(12)]
    assert any('"index":0' in line for line in first)


def test_what_is_compressed_is_gzip(service: Service) -> None:
    raw = exchange(
        service.port,
        f"GET {LONG} HTTP/1.1\r\nHost: test\r\nAccept-Encoding: gzip\r\n"
        "Connection: close\r\n\r\n".encode(),
    )
    _, _, body = raw.partition(b"\r\n\r\n")
    assert len(json.loads(gzip.decompress(body))["names"]) == 1000


# ------------------------------------------------------------------- other origins


def test_without_the_setting_no_page_of_another_origin_reads_anything(
    client: httpx.Client,
) -> None:
    response = client.get(SHORT, headers={"Origin": ORIGIN})
    assert not [name for name in response.headers if name.startswith("access-control")]
    asked = {"Origin": ORIGIN, "Access-Control-Request-Method": "GET"}
    assert_problem(client.options("/generate", headers=asked), 405)


@pytest.mark.parametrize("path", [SHORT, "/livez", "/generate?n=0", "/nowhere", "/%FF"])
def test_pages_of_a_named_origin_read_every_answer_errors_included(
    open_client: httpx.Client, path: str
) -> None:
    headers = open_client.get(path, headers={"Origin": ORIGIN}).headers
    assert headers["access-control-allow-origin"] == ORIGIN
    assert "Origin" in headers["vary"].split(", ")
    exposed = headers["access-control-expose-headers"].split(", ")
    assert {"ETag", "Retry-After", "X-Request-ID", "X-Namewright-Next-Offset"} < set(exposed)


def test_every_header_of_ours_is_exposed(open_client: httpx.Client) -> None:
    url = "/generate?seed=1&format=text"
    headers = open_client.get(url, headers={"Origin": ORIGIN}).headers
    exposed = headers["access-control-expose-headers"].lower().split(", ")
    assert {name for name in headers if name.startswith("x-")} <= set(exposed)


def test_another_origin_is_allowed_nothing(open_client: httpx.Client) -> None:
    response = open_client.get(SHORT, headers={"Origin": "https://names.example.org"})
    assert "access-control-allow-origin" not in response.headers
    assert "Origin" in response.headers["vary"].split(", ")


def test_a_preflight_is_answered(open_client: httpx.Client) -> None:
    asked = {
        "Origin": ORIGIN,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type, x-request-id",
    }
    response = open_client.options("/score", headers=asked)
    assert response.status_code == 200
    assert response.headers["access-control-allow-origin"] == ORIGIN
    assert "POST" in response.headers["access-control-allow-methods"].split(", ")
    assert response.headers["access-control-allow-headers"] == "content-type, x-request-id"
    assert response.headers["x-request-id"]


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"Origin": ORIGIN},
        {"Origin": "https://other.example", "Access-Control-Request-Method": "GET"},
        {"Origin": ORIGIN, "Access-Control-Request-Method": "DELETE"},
    ],
)
def test_a_preflight_that_is_refused_is_an_error_like_any_other(
    open_client: httpx.Client, asked: dict[str, str]
) -> None:
    response = open_client.options("/generate", headers=asked)
    assert_problem(response, 405)
    assert "access-control-allow-origin" not in response.headers


def test_a_star_allows_every_origin(serve: Serve) -> None:
    with serve(CORS_ORIGINS="*", **ALONE) as service:
        response = service.client.get(SHORT, headers={"Origin": "https://any.example"})
        assert response.headers["access-control-allow-origin"] == "*"


def test_a_bug_of_ours_is_told_to_other_origins_too() -> None:
    built = create_app(Settings(cors_origins=ORIGIN))

    @built.get("/broken")
    async def broken() -> None:
        raise RuntimeError

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(built, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.get("/broken", headers={"Origin": ORIGIN})

    response = asyncio.run(ask())
    assert_problem(response, 500)
    assert response.headers["access-control-allow-origin"] == ORIGIN

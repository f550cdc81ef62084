"""Who may come in where the service has keys, on a real server: no one without one."""

import json
import socket

import httpx
import openai
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.main import create_app
from app.settings import Settings
from tests.service.conftest import JSON, PATIENCE_S, Service, assert_problem, exchange, request
from tests.service.keyed import ALICE, BOB, bearer, entry
from tests.service.openai_client import client_of, texts

OPEN = ["/", "/docs", "/openapi.json", "/livez", "/readyz", "/static/playground.js"]
DESCRIBED = create_app(Settings()).openapi()["paths"]
CLOSED = [path for path in DESCRIBED if path not in OPEN]
NOWHERE = ["/nowhere", "/metrics", "/docs/", "/livez/", "/statics", "/%FF"]
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND")
SEEDED = "/generate?seed=42&n=5"


def real(path: str) -> str:
    """A path of the description with something in its places."""
    return path.format(model_id="bigram", name="nll", key="emma")


def assert_refused(response: httpx.Response, *, given: bool) -> None:
    """Check that it is a 401 as it must be; `given` is whether anything like a key was sent."""
    challenge = 'Bearer realm="namewright"' + (', error="invalid_token"' if given else "")
    assert response.headers["www-authenticate"] == challenge
    assert response.headers["cache-control"] == "no-store"
    if response.request.method == "HEAD":
        assert (response.status_code, response.content) == (401, b"")
    else:
        assert_problem(response, 401)


# ---------------------------------------------------------------------- which paths


@pytest.mark.parametrize("path", OPEN)
@pytest.mark.parametrize("headers", [{}, bearer("wrong"), bearer(ALICE)])
def test_the_page_the_documentation_and_the_probes_are_open(
    keyed: Service, path: str, headers: dict[str, str]
) -> None:
    for method in ("GET", "HEAD"):
        assert keyed.client.request(method, path, headers=headers).status_code == 200
    refused = keyed.client.post(path, headers=headers)
    assert_problem(refused, 405)


@pytest.mark.parametrize("path", [*CLOSED, *NOWHERE])
def test_no_other_path_is_open_by_any_method(keyed: Service, path: str) -> None:
    for method in METHODS:
        response = keyed.client.request(method, real(path))
        assert_refused(response, given=False)


@pytest.mark.parametrize("target", [b"//", b"/static", b"/./docs/..", b"/docs/../version", b"/%00"])
def test_no_way_of_writing_a_path_leads_around(keyed: Service, target: bytes) -> None:
    assert_problem(request(keyed.port, target), 401)


@pytest.mark.parametrize("path", CLOSED)
def test_a_key_opens_every_path(keyed: Service, path: str) -> None:
    for headers in (bearer(ALICE), bearer(BOB), {"X-API-Key": ALICE}):
        response = keyed.client.head(real(path), headers=headers)  # a stream would have no end
        assert response.status_code in (200, 405, 422)  # 422: a missing parameter
    assert_problem(keyed.client.get("/nowhere", headers=bearer(ALICE)), 404)


def test_a_body_is_not_read_of_who_has_no_key(keyed: Service) -> None:
    body = {"words": ["emma"] * 1000}
    for headers, status in ((bearer("wrong"), 401), (bearer(ALICE), 200)) * 3:
        assert keyed.client.post("/score", json=body, headers=headers).status_code == status
    length = b"POST /score HTTP/1.1\r\nHost: test\r\nContent-Length: 99999\r\n\r\n"
    with socket.create_connection(("127.0.0.1", keyed.port), timeout=PATIENCE_S) as connection:
        connection.sendall(length)  # and nothing more
        assert connection.recv(65536).startswith(b"HTTP/1.1 401")


def test_without_keys_a_key_is_not_looked_at(client: httpx.Client) -> None:
    for headers in (bearer("any"), {"Authorization": "Basic x"}, {"X-API-Key": ""}):
        response = client.get(SEEDED, headers=headers)
        assert response.status_code == 200
        assert response.headers["cache-control"] == "public, max-age=86400"
        assert "Authorization" not in response.headers["vary"]


# ------------------------------------------------------------------ how a key is given


@pytest.mark.parametrize(
    "headers",
    [
        [("Authorization", f"bearer {ALICE}")],
        [("Authorization", f"BEARER   {ALICE}")],
        [("authorization", f"Bearer {BOB}")],
        [("X-API-Key", BOB)],
        [("Authorization", f"Bearer {ALICE}"), ("X-API-Key", ALICE)],
    ],
)
def test_a_key_is_taken_in_either_header(keyed: Service, headers: list[tuple[str, str]]) -> None:
    assert keyed.client.get("/version", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        [("Authorization", "")],
        [("Authorization", "Bearer")],
        [("Authorization", ALICE)],
        [("Authorization", f"Bearer{ALICE}")],
        [("Authorization", f"Bearer\t{ALICE}")],
        [("Authorization", f"Bearer {ALICE}x")],
        [("Authorization", f"Bearer {ALICE[:-1]}")],
        [("Authorization", f"Bearer {ALICE} {ALICE}")],
        [("Authorization", f"Bearer {ALICE}, Bearer {ALICE}")],
        [("Authorization", f'Bearer "{ALICE}"')],
        [("Authorization", f"Bearer {entry(ALICE)}")],
        [("Authorization", f"Bearer {entry(ALICE).removeprefix('sha256:')}")],
        [("Authorization", f"Token {ALICE}")],
        [("Authorization", "Basic YWxpY2U6bndfYWxpY2Utcw==")],
        [("Authorization", f"Basic {ALICE}"), ("X-API-Key", ALICE)],
        [("Authorization", f"Bearer {ALICE}"), ("Authorization", f"Bearer {ALICE}")],
        [("X-API-Key", ALICE), ("X-API-Key", ALICE)],
        [("X-API-Key", f"Bearer {ALICE}")],
        [("X-API-Key", "")],
        [("X-API-Key", ALICE.upper())],
        [("Authorization", f"Bearer {ALICE}"), ("X-API-Key", BOB)],
        [("Authorization", f"Bearer {ALICE}"), ("X-API-Key", "")],
        [("Authorization", f"Bearer {'x' * 15_000}")],
    ],
)
def test_what_is_not_one_known_key_is_refused(
    keyed: Service, headers: list[tuple[str, str]]
) -> None:
    assert_refused(keyed.client.get(SEEDED, headers=headers), given=True)


@pytest.mark.parametrize("name", ["key", "api_key", "access_token", "Authorization", "X-API-Key"])
def test_no_key_is_taken_from_an_address(keyed: Service, name: str) -> None:
    response = keyed.client.get(SEEDED, params={name: ALICE})
    assert_refused(response, given=False)
    assert_refused(keyed.client.get("/version", headers={"Cookie": f"{name}={ALICE}"}), given=False)


@settings(max_examples=300)
@given(st.sampled_from([b"Authorization", b"X-API-Key"]), st.binary(max_size=200), st.booleans())
def test_no_bytes_of_a_key_are_an_error_of_ours(
    keyed: Service, name: bytes, value: bytes, bearer: bool
) -> None:
    sent = b"%b: %b%b\r\n" % (name, b"Bearer " * bearer, value)
    raw = exchange(
        keyed.port, b"GET /version HTTP/1.1\r\nHost: test\r\nConnection: close\r\n%b\r\n" % sent
    )
    # 400 is the server's, of what is not HTTP; it closes without a word on what is less.
    assert not raw or raw.split(b" ", 2)[1] in (b"400", b"401")


# -------------------------------------------------------------------- what is answered


def test_a_refusal_says_how_a_key_is_given_and_not_what_was(keyed: Service) -> None:
    problem = assert_problem(keyed.client.get("/version"), 401)
    assert "Authorization: Bearer" in problem["detail"]
    assert "X-API-Key" in problem["detail"]
    said = keyed.client.get("/version", headers=bearer("nw_mistyped")).text
    assert "mistyped" not in said


def test_openai_s_clients_come_in_with_their_api_key(keyed: Service) -> None:
    asked = {"model": "bigram", "prompt": "em", "n": 2, "seed": 42}
    with client_of(keyed, ALICE) as client:
        assert len(texts(client.completions.create(**asked))) == 2
        assert [model.id for model in client.models.list()] == ["bigram"]
    with client_of(keyed, "nw_mistyped") as client:
        with pytest.raises(openai.AuthenticationError) as caught:
            client.completions.create(**asked)
        assert caught.value.code == "invalid_api_key"


def test_openai_s_clients_are_told_in_their_shape(keyed: Service) -> None:
    body = b'{"prompt": "em"}'
    for path in ("/v1/completions", "/v1/nowhere"):
        response = keyed.client.post(path, content=body, headers=JSON)
        error = assert_problem(response, 401)["error"]
        assert (error["type"], error["code"]) == ("invalid_request_error", "invalid_api_key")


def test_keys_are_in_no_log_and_their_names_are(keyed: Service) -> None:
    keyed.client.get("/version", headers=bearer(ALICE) | {"X-Request-ID": "by-alice"})
    keyed.client.get("/version", headers=bearer(BOB) | {"X-Request-ID": "by-bob"})
    keyed.client.get("/version", headers=bearer("nw_mistyped"))
    log = keyed.log.read_text()
    assert "request by-alice: key of alice" in log
    assert "request by-bob: key of no name" in log
    assert not [key for key in (ALICE, BOB, "mistyped", entry(ALICE)[7:]) if key in log]


def test_a_request_id_is_given_and_kept(keyed: Service) -> None:
    response = keyed.client.get("/version", headers={"X-Request-ID": "find-me"})
    assert assert_problem(response, 401)["request_id"] == "find-me"


def test_a_key_changes_nothing_of_an_answer(keyed: Service, client: httpx.Client) -> None:
    for path in (SEEDED, "/generate?seed=42&n=1000&format=csv", "/nowhere", "/generate?n=0"):
        url = path + "&model=bigram" * path.startswith("/generate?s")
        asked = {"Accept-Encoding": "gzip", "X-Request-ID": "x"}
        for method in ("GET", "HEAD"):
            got = keyed.client.request(method, url, headers=asked | bearer(ALICE))
            expected = client.request(method, url, headers=asked)
            assert got.status_code == expected.status_code
            assert got.content == expected.content
            for name in ("etag", "content-encoding", "content-type", "x-request-id"):
                assert got.headers.get(name) == expected.headers.get(name)


# -------------------------------------------------------------------------- description


def test_the_description_says_where_a_key_is_needed(keyed: Service, client: httpx.Client) -> None:
    closed, opened = (each.get("/openapi.json").json() for each in (keyed.client, client))
    either = [{"bearer": []}, {"header": []}]
    assert closed["security"] == either
    assert opened["security"] == [*either, {}]
    assert closed["components"] == opened["components"]
    assert closed["paths"] == opened["paths"]
    schemes = closed["components"]["securitySchemes"]
    assert schemes["bearer"]["scheme"] == "bearer"
    assert (schemes["header"]["in"], schemes["header"]["name"]) == ("header", "X-API-Key")
    for path, operations in closed["paths"].items():
        for operation in operations.values():
            assert ("401" in operation["responses"]) == (path not in OPEN)
            assert operation.get("security") == ([] if path in OPEN else None)
    assert json.dumps(closed).find(entry(ALICE)[7:]) == -1

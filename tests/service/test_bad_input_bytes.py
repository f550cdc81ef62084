"""Bad input on a real server: bytes that are no text, and requests that are no HTTP."""

import httpx
import pytest

from app.schemas import GenerateQuery
from tests.service.conftest import Service, assert_problem, exchange, parse, post, request

# --------------------------------------------------------------- characters


@pytest.mark.parametrize("parameter", GenerateQuery.model_fields)
def test_nul_is_refused_in_every_parameter(client: httpx.Client, parameter: str) -> None:
    for value in ("%00", "5%00", "%00a"):
        assert_problem(client.get(f"/generate?{parameter}={value}"), 422, parameter)


def test_nul_is_refused_in_words(client: httpx.Client) -> None:
    assert_problem(client.get("/score?word=emma&word=a%00"), 422, "word")
    assert_problem(post(client, r'{"words": ["a\u0000"]}'), 422, "words[0]")


NOT_UTF8 = ["%FF", "%C0%80", "%ED%A0%80", "%ED%B0%80", "%F4%90%80%80", "%E2%82", "a%80b"]


@pytest.mark.parametrize("text", NOT_UTF8)
def test_a_query_that_is_not_utf8_is_400(service: Service, text: str) -> None:
    for parameter in GenerateQuery.model_fields:
        response = request(service.port, f"/generate?{parameter}={text}".encode())
        assert "UTF-8" in assert_problem(response, 400)["detail"]
    for path in (f"/score?word={text}", f"/generate?{text}=1", f"/livez?{text}"):
        assert_problem(request(service.port, path.encode()), 400)


@pytest.mark.parametrize("text", NOT_UTF8)
def test_a_path_that_is_not_utf8_is_400(service: Service, text: str) -> None:
    for path in (f"/{text}", f"/models/{text}"):
        assert_problem(request(service.port, path.encode()), 400)


@pytest.mark.parametrize("text", ["%00", "%0A", "%0D%0A", "%", "%zz", "%7F"])
def test_a_path_with_control_characters_or_half_escapes_leads_nowhere(
    service: Service, text: str
) -> None:
    # "/livez\n" too: a pattern that ends in `$` would match it.
    for path in (f"/{text}", f"/livez{text}", f"/models/bigram{text}"):
        response = request(service.port, path.encode())
        assert response.status_code in (400, 404), path
        named = "model_id" if path.startswith("/models") and response.status_code == 404 else None
        assert_problem(response, response.status_code, named)


def test_a_lone_surrogate_is_refused_in_json(client: httpx.Client) -> None:
    for surrogate in (r"\ud800", r"\udc00", r"\udc00\ud800"):
        assert_problem(post(client, f'{{"words": ["{surrogate}"]}}'), 422, "words[0]")
        assert_problem(post(client, f'{{"words": ["emma"], "model": "{surrogate}"}}'), 422, "model")
        assert_problem(post(client, f'{{"words": ["emma"], "{surrogate}": 1}}'), 422, "body")


@pytest.mark.parametrize("body", [b'{"words": ["\xff"]}', b"\xff", b'{"words": ["\xed\xa0\x80"]}'])
def test_a_body_that_is_not_utf8_is_400(client: httpx.Client, body: bytes) -> None:
    assert "UTF-8" in assert_problem(post(client, body), 400)["detail"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-8-sig"])
def test_json_in_another_encoding_is_400(client: httpx.Client, encoding: str) -> None:
    assert_problem(post(client, '{"words": ["emma"]}'.encode(encoding)), 400)


# ------------------------------------------------------------- malformed HTTP

GET = b"GET /livez HTTP/1.1\r\nHost: test\r\n"
POST = b"POST /score HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize(
    "sent",
    [
        b"GARBAGE\r\n\r\n",
        b"\x00" * 100 + b"\r\n\r\n",
        b"\xff\xfe\xfd\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",  # TLS
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /livez HTTP/9.9\r\n\r\n",
        b"GET /livez FTP/1.1\r\n\r\n",
        b"get /livez HTTP/1.1\r\n\r\n",
        b"FOO /livez HTTP/1.1\r\n\r\n",
        b"GET /live z HTTP/1.1\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\n\r\n",
        b"GET /generate?prefix=\xff HTTP/1.1\r\n\r\n",
        GET + b"no colon here\r\n\r\n",
        GET + b"\x00: 1\r\n\r\n",
        GET + b"A: \x00\r\n\r\n",
        GET + b"Content-Length: -1\r\n\r\n",
        GET + b"Content-Length: five\r\n\r\n",
        GET + b"Content-Length: " + b"9" * 40 + b"\r\n\r\n",
        POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
        POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\n\r\n-5\r\nabc\r\n0\r\n\r\n",
    ],
)
def test_a_malformed_request_is_400_and_the_connection_closes(
    service: Service, sent: bytes
) -> None:
    response = parse(exchange(service.port, sent))
    assert_problem(response, 400)
    assert response.headers["connection"] == "close"
    assert service.client.get("/livez").status_code == 200

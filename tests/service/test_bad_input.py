"""Bad input on a real server: each is a 4xx of the one shape that names what is wrong.

Nothing here may be a 500, and nothing may hang.
"""

import json
from collections.abc import Iterator
from urllib.parse import quote

import httpx
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.schemas import MAX_WORDS, GenerateQuery, ScoreQuery
from models.request import MAX_NAMES, MAX_OFFSET
from models.rows import TEXT_LIMIT
from models.sampling import MAX_TEMPERATURE, MAX_TOP_K
from tests.exact import bundled_ids
from tests.service.conftest import Service, assert_problem, exchange, request

MODELS = bundled_ids("lines", "text")
INTEGERS = {
    "n": (1, MAX_NAMES),
    "offset": (0, MAX_OFFSET),
    "top_k": (1, MAX_TOP_K),
    "min_length": (1, TEXT_LIMIT),
    "max_length": (1, TEXT_LIMIT),
}
NUMBERS = {
    "temperature": ["-0.001", f"{MAX_TEMPERATURE + 0.001}"],
    "top_p": ["0", "-0.0", "1e-999", "-0.5", "1.001"],
    "min_p": ["-0.001", "1.001"],
}
NEVER_A_NUMBER = [
    "",
    " ",
    " 5",
    "5 ",
    "5\n",
    "1_000",
    "1,000",
    "٣",
    "５",
    "²",
    "0x5",
    "5n",
    "--5",
    "+",
    "true",
    "null",
    "None",
    "NaN",
    "nan",
    "Infinity",
    "-inf",
    "[5]",
    '"5"',
    "9" * 10_000,
    "ﬁve",
    "\ufffe",
    "😀",
]
NEVER_AN_INTEGER = [*NEVER_A_NUMBER, "5.0", "5.", ".5", "1e1", "1e999", "9" * 31]
NEVER_IN_RANGE = ["1e999", "-1e999", "9" * 30, ".", "e5", "1e", "1e1000", "1__0", "0x1p3"]
NEVER_A_BOOLEAN = ["", " true", "True", "TRUE", "yes", "on", "2", "5.0", "null", "１"]
NEVER_A_SEED = ["", "-1", "-5 ", str(2**64), "9" * 256, "x" * 257, "a\nb", "a\tb", "\x7f", "\x01"]

JSON = {"Content-Type": "application/json"}
DEEP = 100_000


def get(client: httpx.Client, path: str, **parameters: str) -> httpx.Response:
    return client.get(path, params=parameters)


def post(client: httpx.Client, body: bytes | str) -> httpx.Response:
    content = body.encode() if isinstance(body, str) else body
    return client.post("/score", content=content, headers=JSON)


# ---------------------------------------------------------------- /generate


@pytest.mark.parametrize("parameter", INTEGERS)
def test_an_integer_of_the_wrong_type_names_itself_and_its_range(
    client: httpx.Client, parameter: str
) -> None:
    low, high = INTEGERS[parameter]
    for value in NEVER_AN_INTEGER:
        problem = assert_problem(get(client, "/generate", **{parameter: value}), 422, parameter)
        assert f"allowed: {low} to {high}" in problem["detail"], repr(value)


@pytest.mark.parametrize("parameter", INTEGERS)
def test_an_integer_beyond_a_bound_names_itself_and_its_range(
    client: httpx.Client, parameter: str
) -> None:
    low, high = INTEGERS[parameter]
    for value in (low - 1, high + 1, -(2**63), 2**64, 10**29):
        response = get(client, "/generate", **{parameter: str(value)})
        assert f"allowed: {low} to {high}" in assert_problem(response, 422, parameter)["detail"]


@pytest.mark.parametrize("parameter", NUMBERS)
def test_a_number_of_the_wrong_type_or_beyond_a_bound_names_itself_and_its_range(
    client: httpx.Client, parameter: str
) -> None:
    for value in [*NEVER_A_NUMBER, *NEVER_IN_RANGE, *NUMBERS[parameter]]:
        problem = assert_problem(get(client, "/generate", **{parameter: value}), 422, parameter)
        assert "allowed: " in problem["detail"], repr(value)


@pytest.mark.parametrize("value", NEVER_A_BOOLEAN)
def test_scores_takes_true_and_false_alone(client: httpx.Client, value: str) -> None:
    assert_problem(get(client, "/generate", scores=value), 422, "scores")


@pytest.mark.parametrize("value", NEVER_A_SEED)
def test_a_seed_out_of_range_or_with_control_characters_is_refused(
    client: httpx.Client, value: str
) -> None:
    assert_problem(get(client, "/generate", seed=value), 422, "seed")


@pytest.mark.parametrize(
    ("prefix", "position"),
    [("A", 0), ("emmA", 3), ("em ma", 2), ("é", 0), ("ae\u0301", 1), ("a😀", 1), ("a.", 1)],
)
def test_a_letter_outside_the_alphabet_is_named_with_its_position(
    client: httpx.Client, prefix: str, position: int
) -> None:
    for response, parameter in [
        (get(client, "/generate", prefix=prefix), "prefix"),
        (get(client, "/score", word=prefix), "word[0]"),
        (client.post("/score", json={"words": ["emma", prefix]}), "words[1]"),
    ]:
        detail = assert_problem(response, 422, parameter)["detail"]
        assert f"position {position} " in detail
        assert "abcdefghijklmnopqrstuvwxyz" in detail


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("min_length=5&max_length=4", "min_length"),
        ("prefix=emma&max_length=3", "prefix"),
        ("model=transformer&max_length=16", "max_length"),
        ("model=transformer&min_length=16", "min_length"),
        ("model=transformer&prefix=" + "a" * 16, "prefix"),
        ("model=bigram&prefix=" + "a" * 65, "prefix"),
    ],
)
def test_bounds_that_no_name_can_meet_are_refused(
    client: httpx.Client, query: str, parameter: str
) -> None:
    assert_problem(client.get(f"/generate?{query}"), 422, parameter)


def test_every_fault_of_a_query_is_listed(client: httpx.Client) -> None:
    problem = assert_problem(client.get("/generate?n=0&top_k=x&nope=1"), 422, "n")
    assert {error["parameter"] for error in problem["errors"]} == {"n", "top_k", "nope"}
    assert "2 more" in problem["detail"]


# ------------------------------------------------- models, unknown and repeated


@pytest.mark.parametrize("model", ["nope", "", "Bigram", "bigram ", "../bigram", "😀", "x" * 64])
def test_an_unknown_model_is_404_and_the_known_ones_are_named(
    client: httpx.Client, model: str
) -> None:
    responses = {
        "/generate": get(client, "/generate", model=model),
        "/score": get(client, "/score", model=model, word="emma"),
        "POST /score": client.post("/score", json={"words": ["emma"], "model": model}),
    }
    for response in responses.values():
        assert ", ".join(MODELS) in assert_problem(response, 404, "model")["detail"]


@pytest.mark.parametrize("model", ["nope", "Bigram", "%20", "😀", "x" * 2000])
def test_an_unknown_model_in_the_path_is_404_and_the_known_ones_are_named(
    client: httpx.Client, model: str
) -> None:
    problem = assert_problem(client.get(f"/models/{model}"), 404, "model_id")
    assert ", ".join(MODELS) in problem["detail"]


def test_a_model_id_longer_than_any_is_refused(client: httpx.Client) -> None:
    assert_problem(get(client, "/generate", model="x" * 65), 422, "model")
    assert_problem(get(client, "/score", model="x" * 65, word="emma"), 422, "model")


def operations(client: httpx.Client) -> Iterator[tuple[str, str]]:
    """Every documented (method, path), so that a new route is covered from its first day."""
    for path, methods in client.get("/openapi.json").json()["paths"].items():
        for method in methods:
            yield method.upper(), path.replace("{model_id}", "bigram")


def test_an_unknown_parameter_is_refused_by_every_route(client: httpx.Client) -> None:
    for method, path in operations(client):
        body = {"json": {"words": ["emma"]}} if method == "POST" else {}
        for query in ("nope=1", "N=5", "nope", "n%00=5"):
            response = client.request(method, f"{path}?{query}", **body)  # type: ignore[arg-type]
            named = query.partition("=")[0].replace("%00", "?")
            required = path == "/score" and method == "GET"
            problem = assert_problem(response, 422, named)
            assert len(problem["errors"]) == (2 if required else 1), (method, path)


def test_a_known_parameter_is_refused_by_routes_that_do_not_have_it(client: httpx.Client) -> None:
    assert_problem(client.get("/models?model=bigram"), 422, "model")
    assert_problem(client.get("/generate?word=emma"), 422, "word")
    assert_problem(client.get("/score?word=emma&n=5"), 422, "n")
    assert_problem(client.post("/score?model=bigram", json={"words": ["emma"]}), 422, "model")


def test_a_parameter_without_a_name_is_not_taken_for_the_body(client: httpx.Client) -> None:
    for path in ("/generate?=5", "/livez?=5", "/generate?=5&=5"):
        response = client.get(path)
        named = {error["parameter"] for error in response.json()["errors"]}
        assert "body" not in named, path
        assert "" not in named, path
        assert response.status_code == 422


@pytest.mark.parametrize("parameter", GenerateQuery.model_fields)
def test_a_parameter_given_twice_is_refused(client: httpx.Client, parameter: str) -> None:
    problem = assert_problem(client.get(f"/generate?{parameter}=1&{parameter}=1"), 422, parameter)
    assert "2 times" in problem["detail"]


def test_only_word_may_be_repeated_by_score(client: httpx.Client) -> None:
    assert client.get("/score?word=emma&word=emma").status_code == 200
    for parameter in set(ScoreQuery.model_fields) - {"word"}:
        query = f"word=emma&{parameter}=bigram&{parameter}=bigram"
        assert_problem(client.get(f"/score?{query}"), 422, parameter)


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
        assert_problem(post(client, f'{{"words": ["emma", "{surrogate}"]}}'), 422, "words[1]")
        assert_problem(post(client, f'{{"words": ["emma"], "model": "{surrogate}"}}'), 422, "model")
        assert_problem(post(client, f'{{"words": ["emma"], "{surrogate}": 1}}'), 422, "body")


@pytest.mark.parametrize("body", [b'{"words": ["\xff"]}', b"\xff", b'{"words": ["\xed\xa0\x80"]}'])
def test_a_body_that_is_not_utf8_is_400(client: httpx.Client, body: bytes) -> None:
    assert "UTF-8" in assert_problem(post(client, body), 400)["detail"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-8-sig"])
def test_json_in_another_encoding_is_400(client: httpx.Client, encoding: str) -> None:
    assert_problem(post(client, '{"words": ["emma"]}'.encode(encoding)), 400)


# --------------------------------------------------------------------- bodies


@pytest.mark.parametrize(
    "body",
    [
        "{",
        "emma",
        "'emma'",
        '{"words": ["emma"]',
        '{"words": ["emma"]} x',
        '{"words": ["emma",]}',
        "{words: ['emma']}",
        '{"words": ["em\nma"]}',
        " ",
        "words=emma",
        "undefined",
    ],
)
def test_a_body_that_is_not_json_is_400(client: httpx.Client, body: str) -> None:
    assert "not JSON" in assert_problem(post(client, body), 400)["detail"]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_nan_and_infinity_are_no_json(client: httpx.Client, number: str) -> None:
    for body in (number, f'{{"words": [{number}]}}', f'{{"words": ["emma"], "x": {number}}}'):
        assert number.lstrip("-") in assert_problem(post(client, body), 400)["detail"]


@pytest.mark.parametrize("number", ["1e999", "-1e999", "true", "5", "5.0", "null", "[]", "{}"])
def test_what_is_no_string_is_named_where_a_string_belongs(
    client: httpx.Client, number: str
) -> None:
    assert_problem(post(client, f'{{"words": ["emma", {number}]}}'), 422, "words[1]")
    if number != "null":  # null asks for the default model
        assert_problem(post(client, f'{{"words": ["emma"], "model": {number}}}'), 422, "model")
    assert_problem(post(client, f'{{"words": ["emma"], "x": {number}}}'), 422, "x")


@pytest.mark.parametrize("value", ['"emma"', "5", "true", "null", '{"0": "emma"}', "[]"])
def test_words_must_be_a_list_that_is_not_empty(client: httpx.Client, value: str) -> None:
    assert_problem(post(client, f'{{"words": {value}}}'), 422, "words")


@pytest.mark.parametrize("body", ["[]", '["emma"]', "5", "5.0", "null", "true", '"emma"', "1e999"])
def test_json_that_is_no_object_is_refused(client: httpx.Client, body: str) -> None:
    assert_problem(post(client, body), 422, "body")


def test_a_body_without_words_names_them(client: httpx.Client) -> None:
    assert_problem(post(client, "{}"), 422, "words")
    assert_problem(post(client, '{"model": "bigram"}'), 422, "words")
    assert_problem(client.get("/score"), 422, "word")
    assert_problem(client.get("/score?model=bigram"), 422, "word")


def test_no_body_at_all_is_refused(client: httpx.Client) -> None:
    assert_problem(post(client, b""), 422, "body")


@pytest.mark.parametrize("opening", ["[", '{"a":', '{"words":['])
def test_a_hundred_thousand_brackets_are_refused(client: httpx.Client, opening: str) -> None:
    assert_problem(post(client, (opening * DEEP)[: DEEP + DEEP // 5]), 400)
    assert_problem(post(client, '{"words":' + "[" * 50_000 + "]" * 50_000 + "}"), 400)


def test_a_repeated_key_is_400(client: httpx.Client) -> None:
    for body in (
        '{"words": ["emma"], "words": ["ava"]}',
        '{"words": ["emma"], "model": "bigram", "model": "bigram"}',
        '{"words": ["emma"], "x": {"a": 1, "a": 1}}',
    ):
        assert "repeated" in assert_problem(post(client, body), 400)["detail"]


def test_an_integer_of_ten_thousand_digits_is_refused(client: httpx.Client) -> None:
    for body in ('{"words": [%s]}', '{"words": ["emma"], "x": -%s}', "%s"):
        problem = assert_problem(post(client, body % ("9" * 10_000)), 400)
        # What the caller can do about it, not what a Python programmer could.
        assert "sys." not in problem["detail"]


@pytest.mark.parametrize(
    "media_type",
    ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", "*/*", "", "json"],
)
def test_another_media_type_than_json_is_415(client: httpx.Client, media_type: str) -> None:
    headers = {"Content-Type": media_type}
    response = client.post("/score", content=b'{"words": ["emma"]}', headers=headers)
    assert "application/json" in assert_problem(response, 415)["detail"]


def test_a_missing_media_type_is_415(client: httpx.Client) -> None:
    assert_problem(client.post("/score", content=b'{"words": ["emma"]}'), 415)


def test_too_large_a_body_is_413(client: httpx.Client) -> None:
    body = b'{"words": ["' + b"a" * 200_000 + b'"]}'
    assert_problem(post(client, body), 413)


def test_too_large_a_body_of_unstated_length_is_413(client: httpx.Client) -> None:
    response = client.post("/score", content=iter([b" " * 65_536] * 3), headers=JSON)
    assert_problem(response, 413)


def test_the_largest_body_is_read(client: httpx.Client) -> None:
    body = b'{"words": ["emma"]}'
    assert post(client, body + b" " * (131_072 - len(body))).status_code == 200
    assert_problem(post(client, body + b" " * (131_073 - len(body))), 413)


def test_more_words_than_allowed_are_refused(client: httpx.Client) -> None:
    words = ["a"] * (MAX_WORDS + 1)
    assert_problem(client.post("/score", json={"words": words}), 422, "words")
    assert_problem(client.get("/score?" + "word=a&" * (MAX_WORDS + 1)), 422, "word")


@pytest.mark.parametrize(("model", "longest"), [("bigram", 64), ("transformer", 15)])
def test_words_that_are_empty_or_too_long_are_refused(
    client: httpx.Client, model: str, longest: int
) -> None:
    for word in ("", "a" * (longest + 1), "a" * 60_000, "é" * 30_000):
        response = client.post("/score", json={"words": ["emma", word], "model": model})
        problem = assert_problem(response, 422, "words[1]")
        assert f"allowed: 1 to {longest}" in problem["detail"]
        if len(word) < 100:
            assert_problem(get(client, "/score", model=model, word=word), 422, "word[0]")


def test_a_thousand_faults_still_make_a_short_answer(client: httpx.Client) -> None:
    bodies = [
        {"words": [5] * 1000},
        {"words": ["a"]} | {f"{i}-" + "y" * 60: 1 for i in range(1000)},
        {"words": ["a"]} | {f"{i}-" + "\u3042" * 200: 1 for i in range(100)},
        {"words": ["a"]} | {f"{i}-" + '\u0001\\"' * 60: 1 for i in range(200)},
    ]
    for body in bodies:
        response = post(client, json.dumps(body, ensure_ascii=False))
        assert response.status_code == 422
        first = response.json()["errors"][0]["parameter"]
        assert_problem(response, 422, first)
    response = client.get("/generate?" + "&".join(f"a{i}=1" for i in range(1000)))
    assert "999 more" in assert_problem(response, 422, "a0")["detail"]


# ------------------------------------------------------------ paths and methods


@pytest.mark.parametrize(
    "path", ["/nowhere", "//generate", "/generate/5", "/Generate", "/models/a/b", "/%2E%2E/x", "/*"]
)
def test_an_unknown_path_is_404(service: Service, path: str) -> None:
    assert_problem(request(service.port, path.encode()), 404)


def test_another_method_is_405_and_the_allowed_ones_are_named(client: httpx.Client) -> None:
    allowed: dict[str, set[str]] = {}
    for method, path in operations(client):
        allowed.setdefault(path, set()).add(method)
    assert allowed["/score"] == {"GET", "POST"}
    for path, methods in allowed.items():
        for method in {"POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"} - methods:
            response = client.request(method, path)
            assert_problem(response, 405)
            named = set(response.headers["allow"].split(", "))
            assert named - {"HEAD"} == methods, f"{method} {path}"


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
        b"GET /generate?" + b"x" * 100_000 + b" HTTP/1.1\r\n\r\n",
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
def test_a_malformed_request_is_400_or_the_connection_closes(service: Service, sent: bytes) -> None:
    received = exchange(service.port, sent)
    assert received == b"" or received.startswith(b"HTTP/1.1 400 ")
    assert service.client.get("/livez").status_code == 200


# ------------------------------------------------------------------------ sweep

# Text with everything in it, and text that is nearly right.
values = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
    st.text("0123456789+-._eE \x00naif", max_size=8),
    st.text("abcdefghijklmnopqrstuvwxyz", max_size=20),
)
names = st.one_of(st.sampled_from([*GenerateQuery.model_fields, "word"]), values)
numbers = st.one_of(st.integers(), st.floats(), st.integers(min_value=10**400, max_value=10**500))
texts = st.one_of(st.text(st.characters(), max_size=20), values)  # with lone surrogates
anything = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, texts),
    lambda inner: st.one_of(st.lists(inner, max_size=5), st.dictionaries(texts, inner, max_size=5)),
    max_leaves=15,
)
bodies = st.one_of(
    anything,
    st.fixed_dictionaries(
        {"words": st.one_of(anything, st.lists(texts, max_size=5))},
        optional={"model": st.one_of(anything, st.just("bigram")), "x": anything},
    ),
)


def assert_answered_or_blamed(response: httpx.Response) -> None:
    """200, or a 4xx of the one shape."""
    if response.status_code == 200:
        return
    assert 400 <= response.status_code < 500, response.text
    errors = response.json()["errors"]
    named = errors[0]["parameter"] if errors else None
    assert_problem(response, response.status_code, named)


@settings(max_examples=200)
@given(st.lists(st.tuples(names, values), max_size=4))
@example([("seed", "٣")])
@example([("seed", "9" * 256)])
@example([("prefix", "e\u0301" * 300)])
def test_no_generate_query_is_answered_by_a_500(
    client: httpx.Client, pairs: list[tuple[str, str]]
) -> None:
    query = "&".join(f"{quote(name)}={quote(value)}" for name, value in pairs)
    assert_answered_or_blamed(client.get(f"/generate?model=bigram&{query}"))


@settings(max_examples=200)
@given(st.lists(values, max_size=5), st.one_of(st.just("bigram"), values))
def test_no_score_query_is_answered_by_a_500(
    client: httpx.Client, words: list[str], model: str
) -> None:
    assert_answered_or_blamed(client.get("/score", params={"word": words, "model": model}))


@settings(max_examples=200)
@given(bodies)
@example({"words": ["\ud800"]})
@example({"words": [float("nan")], "x": float("inf")})
def test_no_score_body_is_answered_by_a_500(client: httpx.Client, body: object) -> None:
    assert_answered_or_blamed(post(client, json.dumps(body)))


@settings(max_examples=200)
@given(st.binary(max_size=200))
def test_no_bytes_as_a_body_are_answered_by_a_500(client: httpx.Client, body: bytes) -> None:
    assert_answered_or_blamed(post(client, body))

"""Bad input on a real server: whatever is sent, no answer is a 500."""

import json
from urllib.parse import quote

import httpx
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.schemas import GenerateQuery
from tests.service.conftest import JSON, assert_problem, post

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


generate_bodies = st.dictionaries(
    st.sampled_from([*GenerateQuery.model_fields]), anything, max_size=4
)


@settings(max_examples=200)
@given(generate_bodies)
@example({"prefix": "\ud800", "seed": 10**400})
@example({"temperature": float("inf"), "n": True, "format": ["csv"]})
def test_no_generate_body_is_answered_by_a_500(
    client: httpx.Client, body: dict[str, object]
) -> None:
    content = json.dumps({"model": "bigram"} | body)
    assert_answered_or_blamed(client.post("/generate", content=content, headers=JSON))


@settings(max_examples=200)
@given(st.sampled_from(["Accept", "If-None-Match", "Accept-Encoding", "Origin"]), st.binary())
def test_no_header_is_answered_by_a_500(client: httpx.Client, name: str, value: bytes) -> None:
    printable = bytes(byte for byte in value if byte >= 32 and byte != 127)
    headers = {name.encode(): printable.strip()}
    response = client.get("/generate?model=bigram&seed=1", headers=headers)
    if response.status_code != 304:
        assert_answered_or_blamed(response)


@settings(max_examples=200)
@given(st.binary(max_size=200))
def test_no_bytes_as_a_body_are_answered_by_a_500(client: httpx.Client, body: bytes) -> None:
    assert_answered_or_blamed(post(client, body))

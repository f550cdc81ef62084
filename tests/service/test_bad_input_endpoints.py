"""Bad input to /next, /names/{key} and /compare on a real server: no answer is a 500."""

from urllib.parse import quote

import httpx
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from app.compare_schemas import CompareQuery
from app.key_schemas import KeyQuery
from app.next_schemas import NextQuery
from tests.service.conftest import Service, request
from tests.service.test_bad_input_sweep import assert_answered_or_blamed, values

Pairs = list[tuple[str, str]]


def pairs(query: type[BaseModel]) -> st.SearchStrategy[Pairs]:
    """Parameters that a query has, or nearly, with values that they may have, or nearly."""
    names = st.one_of(st.sampled_from([*query.model_fields]), values)
    return st.lists(st.tuples(names, values), max_size=4)


def encoded(given: Pairs) -> str:
    return "&".join(f"{quote(name)}={quote(value)}" for name, value in given)


@settings(max_examples=200)
@given(pairs(NextQuery))
@example([("prefix", "e\u0301" * 300)])
@example([("prefix", "q" * 63), ("temperature", "0")])
@example([("temperature", "1e-300"), ("top_p", "1e-300"), ("min_p", "1")])
def test_no_query_of_next_is_answered_by_a_500(client: httpx.Client, given: Pairs) -> None:
    assert_answered_or_blamed(client.get(f"/next?model=bigram&{encoded(given)}"))


@settings(max_examples=200)
@given(st.one_of(values, st.text("./%\\ ~", max_size=6)), pairs(KeyQuery))
@example("..", [])
@example("%", [("temperature", "0"), ("min_length", "9")])
def test_no_key_is_answered_by_a_500(service: Service, key: str, given: Pairs) -> None:
    path = f"/names/{quote(key, safe='')}?model=bigram&{encoded(given)}"
    # Exactly so: a client would resolve the key "..".
    assert_answered_or_blamed(request(service.port, path.encode()))


@settings(max_examples=200)
@given(st.one_of(values, st.text("bigram,gruneal-", max_size=20)), pairs(CompareQuery))
@example(",", [])
@example("bigram,neural-bigram", [("n", "100"), ("temperature", "10")])
def test_no_comparison_is_answered_by_a_500(
    client: httpx.Client, models: str, given: Pairs
) -> None:
    assert_answered_or_blamed(client.get(f"/compare?models={quote(models)}&{encoded(given)}"))

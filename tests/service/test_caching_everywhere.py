"""ETags and pinned fingerprints of all that a seed, a key or a prefix settles, but /generate."""

import httpx
import pytest

from app.compare_schemas import CompareQuery
from app.key_schemas import KeyQuery
from app.next_schemas import NextQuery
from tests.service.conftest import assert_problem
from tests.service.test_caching import CONDITIONS

PLAIN = {"Accept-Encoding": "identity"}  # so that ETags are strong
DAY = "public, max-age=86400"
EACH_TIME = "public, max-age=0, must-revalidate"
OTHERS = {
    "/next?model=bigram": [*CONDITIONS[:5], {"model": "ngram"}, {"top": "3"}],
    "/names/emma?model=bigram": [*CONDITIONS, {"model": "ngram"}],
    "/compare?seed=7&models=bigram,ngram": [
        *CONDITIONS, {"seed": "8"}, {"n": "2"}, {"offset": "1"}, {"models": "bigram"},
    ],
}  # fmt: skip
SETTLED = [*OTHERS, "/names/customer/4711", "/next"]
CURRENT = [
    "/models",
    "/models/bigram",
    "/models/bigram/plots",
    "/models/bigram/plots/nll.svg",
    "/v1/models",
    "/v1/models/bigram",
]
PINNED = ["/next?model=bigram", "/names/emma?model=bigram"]


def ask(client: httpx.Client, path: str, known: str | None = None, **query: str) -> httpx.Response:
    headers = PLAIN | ({"If-None-Match": known} if known else {})
    url = httpx.URL(path)
    return client.get(url.copy_merge_params(query), headers=headers)


@pytest.mark.parametrize("path", OTHERS)
def test_equal_etags_are_equal_bytes_and_other_parameters_have_others(
    client: httpx.Client, path: str
) -> None:
    found: dict[str, bytes] = {}
    for query in [{}, *OTHERS[path]]:
        response = ask(client, path, **query)
        assert response.status_code == 200, response.text
        assert response.headers["etag"] not in found
        found[response.headers["etag"]] = response.content
    assert len(set(found.values())) == len(found)


@pytest.mark.parametrize(
    ("path", "query"), [*zip(OTHERS, (NextQuery, KeyQuery, CompareQuery), strict=True)]
)
def test_every_parameter_counts(
    path: str, query: type[NextQuery | KeyQuery | CompareQuery]
) -> None:
    tried = {name for parameters in OTHERS[path] for name in parameters}
    assert tried == set(query.model_fields) - {"fingerprint"}, "add it to OTHERS"


@pytest.mark.parametrize("path", [*SETTLED, *CURRENT])
def test_those_who_have_it_are_told_so_and_no_more(client: httpx.Client, path: str) -> None:
    first = ask(client, path)
    assert first.headers["cache-control"] == (DAY if path in SETTLED else EACH_TIME)
    etag = first.headers["etag"]
    for known in (etag, f"W/{etag}", f'"other", {etag}', "*", f"garbage, {etag}"):
        response = ask(client, path, known)
        assert (response.status_code, response.content) == (304, b""), known
        assert response.headers["etag"].removeprefix("W/") == etag
        assert response.headers["cache-control"] == first.headers["cache-control"]
        assert "content-type" not in response.headers


@pytest.mark.parametrize("path", [*SETTLED, *CURRENT])
@pytest.mark.parametrize("known", ['"other"', "garbage", '"', "W/", ",", "\xff", '"x' * 5_000])
def test_those_who_have_something_else_get_the_answer(
    client: httpx.Client, path: str, known: str
) -> None:
    response = client.get(path, headers=PLAIN | {"If-None-Match": known.encode("latin-1")})  # type: ignore[dict-item]
    assert response.status_code == 200
    assert response.content == ask(client, path).content


def test_names_of_a_seed_that_was_drawn_are_not_kept(client: httpx.Client) -> None:
    response = ask(client, "/compare?models=bigram", "*")
    assert response.status_code == 200
    assert response.headers["cache-control"] == "no-store"
    assert "etag" not in response.headers


def test_a_request_in_error_is_an_error_whatever_its_caller_has(client: httpx.Client) -> None:
    assert_problem(ask(client, "/next?prefix=E", "*"), 422, "prefix")
    assert_problem(ask(client, "/names/emma?max_length=1000", "*"), 422, "max_length")
    never = "/names/emma?model=bigram&min_length=64"
    assert_problem(ask(client, never, "*"), 422, "key")
    problem = assert_problem(
        ask(client, "/compare?seed=7&models=bigram,gru&max_length=60", "*"), 422, "max_length"
    )
    assert "(model gru)" in problem["detail"]


@pytest.mark.parametrize("path", PINNED)
def test_with_its_fingerprint_an_answer_is_kept_for_good(client: httpx.Client, path: str) -> None:
    plain = ask(client, path)
    pinned = ask(client, path, fingerprint=plain.json()["fingerprint"])
    assert pinned.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert pinned.content == plain.content
    assert pinned.headers["etag"] == plain.headers["etag"]


@pytest.mark.parametrize("path", PINNED)
def test_another_fingerprint_is_409_and_what_cannot_be_one_422(
    client: httpx.Client, path: str
) -> None:
    served = ask(client, path).json()["fingerprint"]
    problem = assert_problem(ask(client, path, "*", fingerprint="0" * 16), 409, "fingerprint")
    assert served in problem["detail"]
    for value in ("", "0" * 65):
        assert_problem(ask(client, path, fingerprint=value), 422, "fingerprint")

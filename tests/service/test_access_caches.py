"""Keys beside what stands between a caller and the service: caches, and browsers."""

import pytest

from tests.service.conftest import Service
from tests.service.keyed import ALICE, ORIGIN, bearer
from tests.service.test_access import SEEDED, assert_refused

# ------------------------------------------------------------------------ shared caches


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        (SEEDED, "private, max-age=86400"),
        (SEEDED + "&fingerprint=", "private, max-age=31536000, immutable"),
        ("/generate?n=5", "no-store"),
        ("/generate/stream?n=5", "no-store"),
        ("/models", "private, max-age=0, must-revalidate"),
        ("/models/bigram/plots/nll.svg", "private, max-age=0, must-revalidate"),
        ("/nowhere", "private"),
    ],
)
def test_no_cache_that_many_share_keeps_an_answer(keyed: Service, path: str, kept: str) -> None:
    if path.endswith("="):
        path += keyed.client.get(SEEDED, headers=bearer(ALICE)).json()["fingerprint"]
    response = keyed.client.get(path, headers=bearer(ALICE))
    assert response.headers["cache-control"] == kept
    vary = response.headers.get("vary", "").split(", ")
    assert kept == "no-store" or {"Authorization", "X-API-Key"} <= set(vary)


def test_an_answer_that_is_known_is_not_given_to_who_has_no_key(keyed: Service) -> None:
    headers = keyed.client.get(SEEDED, headers=bearer(ALICE)).headers
    known = {"If-None-Match": headers["etag"]}
    again = keyed.client.get(SEEDED, headers=bearer(ALICE) | known)
    assert again.status_code == 304
    assert again.headers["cache-control"] == headers["cache-control"]
    assert {"Authorization", "X-API-Key"} <= set(again.headers["vary"].split(", "))
    assert_refused(keyed.client.get(SEEDED, headers=known), given=False)


# ------------------------------------------------------------------------ other origins


@pytest.mark.parametrize("header", ["authorization", "x-api-key,content-type"])
def test_a_preflight_needs_no_key_and_allows_one(keyed: Service, header: str) -> None:
    asked = {
        "Origin": ORIGIN,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": header,
    }
    response = keyed.client.options("/score", headers=asked)
    assert response.status_code == 200
    assert response.headers["access-control-allow-headers"] == header
    other = keyed.client.options("/score", headers=asked | {"Origin": "https://other.example"})
    assert_refused(other, given=False)
    assert "access-control-allow-origin" not in other.headers


def test_pages_of_a_named_origin_can_read_that_they_need_a_key(keyed: Service) -> None:
    response = keyed.client.get("/version", headers={"Origin": ORIGIN})
    assert_refused(response, given=False)
    assert response.headers["access-control-allow-origin"] == ORIGIN
    taken = keyed.client.get("/version", headers={"Origin": ORIGIN} | bearer(ALICE))
    assert taken.headers["vary"].split(", ") == ["Authorization", "X-API-Key", "Origin"]

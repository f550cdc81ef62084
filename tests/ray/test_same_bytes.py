"""Replicas on Ray answer what `python -m app` answers, to the byte."""

from typing import Any

import httpx
import pytest

from tests.ray.cluster import Cluster
from tests.service.conftest import JSON, Service

pytestmark = pytest.mark.ray

ID = {"X-Request-ID": "test-1"}
OWN = {"date", "server", "x-request-id"}
"""Headers that a server adds to those of the application."""

Request = tuple[str, str, dict[str, Any]]


def post(path: str, body: str | bytes, **headers: str) -> Request:
    return "POST", path, {"content": body, "headers": JSON | ID | headers}


GETS = (
    "/generate?n=20&seed=42",
    "/generate?n=20&seed=emma&temperature=0.8&top_k=10&prefix=ma",
    "/generate?n=7&seed=1&offset=1000000&pattern=*a&scores=true",
    "/generate?n=1000&seed=7&format=csv",
    "/generate?n=20&seed=3&model=transformer",
    "/generate?n=20&seed=3&model=mixture&novel=true&unique=true",
    "/generate?n=1&seed=1&model=korean-gpt&prefix=한국",
    "/generate/stream?seed=7&n=5000",
    "/generate/stream?seed=7&n=500&format=sse",
    "/names/customer/4711",
    "/score?word=emma&word=andrejq",
    "/compare?seed=7&n=3",
    "/next?prefix=em",
    "/models",
    "/models/gru/plots/loss.svg",
    "/version",
    "/openapi.json",
    "/docs",
    "/readyz",
    "/",
)
POSTS = (
    post("/generate", '{"n": 20, "seed": 42, "suffix": "a"}'),
    post("/score", '{"words": ["emma", "olivia"]}'),
)
REFUSED = (
    ("GET", "/generate?n=0", {"headers": ID}),
    ("GET", "/generate?seed=1&seed=2", {"headers": ID}),
    ("GET", "/generate?model=none", {"headers": ID}),
    ("GET", "/generate?seed=1&fingerprint=0000000000000000", {"headers": ID}),
    ("GET", "/generate?prefix=%FF", {"headers": ID}),
    ("GET", "/nothing", {"headers": ID}),
    ("DELETE", "/generate", {"headers": ID}),
    post("/score", "{"),
    post("/score", '{"words": ["a"], "words": ["b"]}'),
    post("/score", "<a/>", **{"Content-Type": "text/xml"}),
    post("/v1/completions", '{"model": "none", "prompt": ""}'),
)


def ask(client: httpx.Client, request: Request) -> tuple[int, dict[str, str], bytes]:
    """Status, headers but for a server's own, body."""
    method, path, options = request
    response = client.request(method, path, **options)
    headers = {name: value for name, value in response.headers.items() if name not in OWN}
    for name in ("connection", "transfer-encoding"):  # of the connection, not of the answer
        headers.pop(name, None)
    return response.status_code, headers, response.content


@pytest.mark.parametrize(
    "request_",
    [*(("GET", path, {}) for path in GETS), *POSTS, *REFUSED],
    ids=lambda request_: " ".join(request_[:2]),
)
def test_both_replicas_and_haproxy_give_the_very_answer_of_the_plain_service(
    cluster: Cluster, plain: Service, request_: Request
) -> None:
    expected = ask(plain.client, request_)
    one, other = cluster.replicas
    assert one.pid != other.pid
    for replica in (one, other):
        with cluster.client_of(replica) as client:
            assert ask(client, request_) == expected
    assert ask(cluster.client, request_) == expected


def test_a_completion_has_the_same_choices(cluster: Cluster, plain: Service) -> None:
    request = post("/v1/completions", '{"model": "gru", "prompt": "ma", "seed": 7, "n": 5}')
    method, path, options = request
    answers = [each.request(method, path, **options) for each in (plain.client, cluster.client)]
    assert [each.status_code for each in answers] == [200, 200]
    assert answers[0].json()["choices"] == answers[1].json()["choices"]


def test_a_body_that_is_too_large_is_refused_in_the_one_shape(cluster: Cluster) -> None:
    response = cluster.client.post("/score", content=b"[" * 140_000, headers=JSON | ID)
    assert response.status_code == 413
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["request_id"] == "test-1"


def test_an_answer_has_one_request_id_which_is_that_of_the_body(cluster: Cluster) -> None:
    for headers in ({}, ID):
        response = cluster.client.get("/nothing", headers=headers)
        (request_id,) = response.headers.get_list("x-request-id")
        assert request_id == response.json()["request_id"]
        assert headers.get("X-Request-ID", request_id) == request_id


def test_metrics_are_a_path_of_each_replica(cluster: Cluster) -> None:
    for replica in cluster.replicas:
        with cluster.client_of(replica) as client:
            assert "namewright_requests_total" in client.get("/metrics").text


def test_head_has_no_body(cluster: Cluster) -> None:
    response = cluster.client.head("/generate?n=20&seed=42")
    assert response.status_code == 200
    assert response.content == b""

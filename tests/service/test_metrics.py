"""/metrics on a real server: one process, several, one that is killed, a port of its own."""

import os
import re
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.service.conftest import (
    PATIENCE_S,
    ROOT,
    STOP_LIMIT_S,
    Serve,
    Service,
    free_port,
    launch,
    members,
)

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def scrape(client: httpx.Client, url: str = "/metrics") -> Samples:
    answer = client.get(url)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples.get((name, frozenset(labels.items())), 0.0)


def until(client: httpx.Client, right: Callable[[Samples], bool], url: str = "/metrics") -> Samples:
    """The first metrics that are right: other workers tell theirs once a second."""
    deadline = time.monotonic() + 20
    while not right(samples := scrape(client, url)):
        assert time.monotonic() < deadline, samples
        time.sleep(0.1)
    return samples


def requests(samples: Samples, route: str, status: str = "200", method: str = "GET") -> float:
    name = "namewright_requests_total"
    return value(samples, name, method=method, route=route, status=status)


def test_requests_are_counted_by_the_template_of_their_route(service: Service) -> None:
    client = service.client
    before = scrape(client)
    paths = ["/names/a", "/names/b/c", "/models/bigram", "/models/gru", "/nowhere", "/nowhere2"]
    for path in paths:
        client.get(path)
    client.head("/names/a")
    after = scrape(client)
    grown = {
        route: requests(after, route, status) - requests(before, route, status)
        for route, status in [
            ("/names/{key:path}", "200"), ("/models/{model_id}", "200"), ("other", "404"),
        ]
    }  # fmt: skip
    assert grown == {"/names/{key:path}": 3, "/models/{model_id}": 2, "other": 2}
    routes = {dict(labels).get("route", "") for _, labels in after}
    assert not [route for route in routes if "nowhere" in route or "gru" in route]


def test_what_is_refused_is_counted_by_its_cause(service: Service) -> None:
    client = service.client
    name = "namewright_rejections_total"
    before = scrape(client)
    client.get("/generate?n=0")
    client.get("/generate?model=none")
    client.get("/generate?fingerprint=0")
    client.get("/nowhere")
    client.delete("/generate")
    client.get("/generate?prefix=" + "a" * 8192)  # refused before there is a route
    after = scrape(client)
    causes = [
        "parameter",
        "model_not_found",
        "fingerprint_mismatch",
        "http_404",
        "http_405",
        "http_414",
    ]
    grown = {cause: value(after, name, cause=cause) - value(before, name, cause=cause)
             for cause in causes}  # fmt: skip
    assert grown == dict.fromkeys(causes, 1)


def test_the_engines_work_and_the_process_are_told(service: Service) -> None:
    client = service.client
    before = scrape(client)
    client.get("/generate?n=50&seed=1&model=gru&scores=true")
    after = scrape(client)

    def grown(name: str, **labels: str) -> float:
        return value(after, name, model="gru", **labels) - value(
            before, name, model="gru", **labels
        )

    assert grown("namewright_names_total") == 50
    assert grown("namewright_draws_total") >= 50
    drawn = [grown("namewright_characters_total", source=one) for one in ("tree", "draft", "model")]
    assert sum(drawn) >= 150
    assert drawn[1] == 0  # scores are exact
    assert value(after, "namewright_engine_pending") == 0
    assert value(after, "namewright_requests_under_way") == 1  # the scrape itself
    assert value(after, "namewright_memory_bytes") > 100e6
    assert value(after, "namewright_open_descriptors") > 5
    assert value(after, "namewright_tree_bytes", model="gru") > 0
    fingerprints = {m["id"]: m["fingerprint"] for m in client.get("/models").json()["models"]}
    told = {
        dict(labels)["model"]: dict(labels)["fingerprint"]
        for name, labels in after
        if name == "namewright_model_info"
    }
    assert told == fingerprints


def test_latencies_are_in_a_histogram_by_route(service: Service) -> None:
    before = scrape(service.client)
    service.client.get("/score?word=emma")
    after = scrape(service.client)
    name = "namewright_request_seconds"
    for suffix, labels in [("_count", {}), ("_bucket", {"le": "+Inf"})]:
        labels = {"route": "/score"} | labels
        grown = value(after, name + suffix, **labels) - value(before, name + suffix, **labels)
        assert grown == 1
    assert value(after, name + "_sum", route="/score") > value(
        before, name + "_sum", route="/score"
    )


def test_a_client_that_leaves_is_counted_and_no_longer_under_way(serve: Serve) -> None:
    with serve(MODELS="transformer", DEFAULT_MODEL="transformer", TREE_MEMORY_MB=0) as service:
        with pytest.raises(httpx.ReadTimeout):
            service.client.get("/generate?n=1000&seed=1&min_length=14", timeout=0.3)
        until(
            service.client,
            lambda samples: (
                requests(samples, "/generate", "499") == 1
                and value(samples, "namewright_requests_under_way") == 1
                and value(samples, "namewright_engine_pending") == 0
            ),
        )


def test_workers_are_counted_together_and_one_that_dies_loses_nothing(serve: Serve) -> None:
    with serve(MODELS="bigram", DEFAULT_MODEL="bigram", WORKERS=2, POOL_NAMES=0) as service:

        def get(path: str) -> httpx.Response:
            with httpx.Client(
                base_url=service.client.base_url, timeout=PATIENCE_S, trust_env=False
            ) as fresh:
                return fresh.get(path)

        for seed in range(40):
            assert get(f"/generate?seed={seed}&n=5").status_code == 200
        samples = until(
            service.client, lambda s: value(s, "namewright_names_total", model="bigram") == 200
        )
        assert requests(samples, "/generate") == 40
        assert value(samples, "namewright_engine_queue_size") == 512
        victim = next(
            pid for pid in members(service.process.pid)
            if b"spawn_main" in (command := Path(f"/proc/{pid}/cmdline").read_bytes())
            and b"resource_tracker" not in command
        )  # fmt: skip
        os.kill(victim, signal.SIGKILL)
        fresh = httpx.Client(base_url=service.client.base_url, timeout=PATIENCE_S, trust_env=False)
        with fresh:
            samples = until(
                fresh, lambda s: value(s, "namewright_engine_queue_size") == 512, "/metrics"
            )
        assert requests(samples, "/generate") == 40
        assert value(samples, "namewright_names_total", model="bigram") == 200


@pytest.mark.parametrize("workers", [1, 2])
def test_metrics_on_a_port_of_their_own_are_nowhere_else(serve: Serve, workers: int) -> None:
    port = free_port()
    settings = {"MODELS": "bigram", "DEFAULT_MODEL": "bigram", "POOL_NAMES": 0}
    with serve(**settings, WORKERS=workers, METRICS_PORT=port) as service:
        assert service.client.get("/metrics").status_code == 404
        assert service.client.get("/generate?n=5").status_code == 200
        samples = until(
            service.client,
            lambda s: value(s, "namewright_names_total", model="bigram") == 5,
            f"http://127.0.0.1:{port}/metrics",
        )
        assert requests(samples, "/generate") == 1


@pytest.mark.parametrize("workers", [1, 2])
def test_a_port_that_is_taken_stops_the_start_with_a_line_that_says_so(
    tmp_path: Path, workers: int
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        log = tmp_path / "log"
        process = launch(
            log, PORT=free_port(), METRICS_PORT=taken.getsockname()[1], WORKERS=workers,
            MODELS="bigram", DEFAULT_MODEL="bigram",
        )  # fmt: skip
        assert process.wait(6 * STOP_LIMIT_S) == 3
    text = log.read_text()
    assert "NAMEWRIGHT_METRICS_PORT" in text
    assert "Traceback" not in text


def test_nothing_is_left_in_the_folder_for_temporary_files(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with serve(MODELS="bigram", DEFAULT_MODEL="bigram", WORKERS=2):
        assert list(tmp_path.glob("namewright-metrics-*"))
    assert not list(tmp_path.glob("namewright-metrics-*"))


def test_every_metric_is_documented_and_every_documented_one_is_there(service: Service) -> None:
    told = {
        family.name.removesuffix("_total")
        for family in text_string_to_metric_families(service.client.get("/metrics").text)
    }
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| `namewright_")]
    documented = {
        name.removesuffix("_total")
        for row in rows
        for name in re.findall(r"`(namewright_\w+)`", row.split("|")[1])
    }
    assert documented == told

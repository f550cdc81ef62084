"""Keys are exchanged while the service runs, and no one whose key stays notices."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

import httpx
import pytest

from tests.service.conftest import PATIENCE_S, Serve, Service
from tests.service.keyed import ALICE, ALONE, BOB, bearer, entry, replace

STEADY = "nw_steady"
IN_A_ROW = 25
"""Answers alike, each over a connection of its own: so that each of two workers has given some."""


def status(service: Service, key: str) -> int:
    """Of a request over a connection of its own."""
    connection = HTTPConnection("127.0.0.1", service.port, timeout=PATIENCE_S)
    with closing(connection):
        connection.request("GET", "/version", headers=bearer(key))
        return connection.getresponse().status


def await_status(service: Service, key: str, wanted: int) -> None:
    """Wait until a key always has this status."""
    deadline = time.monotonic() + PATIENCE_S
    while any(status(service, key) != wanted for _ in range(IN_A_ROW)):
        assert time.monotonic() < deadline, f"{key} does not come to {wanted}"


def ask_on(service: Service, enough: threading.Event) -> set[int]:
    """Ask with the key that stays until it is enough; the statuses that came."""
    seen = set()
    url = f"http://127.0.0.1:{service.port}/generate"
    with httpx.Client(headers=bearer(STEADY), timeout=PATIENCE_S, trust_env=False) as client:
        while not enough.is_set():
            seen.add(client.get(url).status_code)
    return seen


@pytest.mark.parametrize("workers", [1, 2])
def test_keys_are_exchanged_under_load_and_one_that_stays_never_fails(
    serve: Serve, tmp_path: Path, workers: int
) -> None:
    keys = tmp_path / "keys"
    replace(keys, STEADY, ALICE)
    with (
        serve(API_KEYS_FILE=keys, WORKERS=workers, **ALONE) as service,
        ThreadPoolExecutor(2) as pool,
    ):
        enough = threading.Event()
        asking = [pool.submit(ask_on, service, enough) for _ in range(2)]
        try:
            for old, new in ((ALICE, BOB), (BOB, ALICE)):
                assert (status(service, old), status(service, new)) == (200, 401)
                replace(keys, STEADY, new)
                await_status(service, new, 200)
                await_status(service, old, 401)
        finally:
            enough.set()
        assert [one.result() for one in asking] == [{200}] * 2


@pytest.mark.parametrize("workers", [1, 2])
def test_a_bad_file_leaves_the_keys_and_is_told_by_its_line(
    serve: Serve, tmp_path: Path, workers: int
) -> None:
    keys = tmp_path / "keys"
    replace(keys, ALICE)
    with serve(API_KEYS_FILE=keys, API_KEYS=entry(STEADY), WORKERS=workers, **ALONE) as service:
        deadline = time.monotonic() + PATIENCE_S
        while service.log.read_text().count("listening on") < workers:
            assert time.monotonic() < deadline, service.log.read_text()
            time.sleep(0.05)  # a worker that meets a bad file as it starts does not start
        keys.write_text(f"# new\n{entry(BOB)}\nnw_plain-key\n")
        fault = f"{keys}: line 3 is not sha256:"
        while service.log.read_text().count(fault) < workers:
            assert (status(service, ALICE), status(service, STEADY)) == (200, 200)
            assert (status(service, BOB), status(service, "nw_plain-key")) == (401, 401)
            assert time.monotonic() < deadline, service.log.read_text()
        assert "plain-key" not in service.log.read_text()
        replace(keys, BOB)
        await_status(service, BOB, 200)
        await_status(service, ALICE, 401)
        assert status(service, STEADY) == 200
        assert service.log.read_text().count(fault) == workers

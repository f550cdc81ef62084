"""HAProxy as it is deployed, before real services: what tests of it share."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx

from benchmarks.balancer import configuration
from tests.service.conftest import PATIENCE_S, START_LIMIT_S, await_ready, free_port, kill

SETTINGS = {"MODELS": "bigram", "DEFAULT_MODEL": "bigram"}


@contextmanager
def balancing(
    folder: Path, *ports: int, ready: bool = True, silent_s: int = 30
) -> Iterator[httpx.Client]:
    """HAProxy as it is deployed, but for its port and for where its replicas are.

    Args:
        folder: for its files.
        ports: of the replicas.
        ready: whether to wait for an answer of one; else for any at all.
        silent_s: how long a replica may be silent.
    """
    port = free_port()
    (folder / "haproxy.cfg").write_text(configuration(port, ports, silent_s=silent_s))
    log = folder / "haproxy.log"
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            ["haproxy", "-db", "-f", str(folder / "haproxy.cfg")],
            stdout=subprocess.DEVNULL, stderr=stderr, start_new_session=True,
        )  # fmt: skip
    try:
        base_url = f"http://127.0.0.1:{port}"
        with httpx.Client(base_url=base_url, timeout=PATIENCE_S, trust_env=False) as client:
            if ready:
                await_ready(client, process, log)
            else:
                await_answer(client)
            yield client
    finally:
        kill(process.pid)
        process.wait()


def await_answer(client: httpx.Client) -> None:
    """Until something listens there, whatever it says."""
    deadline = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline:
        with suppress(httpx.ConnectError):
            client.get("/livez")
            return
        time.sleep(0.05)
    raise AssertionError("nothing listens")


def asked(seed: int) -> str:
    """An address that no cache keeps, for its names vary by Accept."""
    return f"/generate?n=20&seed={seed}"

"""What a real server logs as JSON, of events and of requests."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx

from tests.service.conftest import PATIENCE_S, ROOT, START_LIMIT_S, STOP_LIMIT_S, free_port


def test_every_line_is_json_and_has_the_id_of_its_request_and_no_query(tmp_path: Path) -> None:
    port = free_port()
    settings = {
        "PORT": port, "MODELS": "bigram", "DEFAULT_MODEL": "bigram", "LOG_FORMAT": "json",
    }  # fmt: skip
    given = {f"NAMEWRIGHT_{name}": str(value) for name, value in settings.items()}
    events, requests = tmp_path / "events", tmp_path / "requests"
    with events.open("wb") as stderr, requests.open("wb") as stdout:
        process = subprocess.Popen(
            [sys.executable, "-m", "app"],
            cwd=ROOT, env=os.environ | given, stdout=stdout, stderr=stderr,
        )  # fmt: skip
    base_url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + START_LIMIT_S
        while b"listening on" not in events.read_bytes():
            assert process.poll() is None, events.read_text()
            assert time.monotonic() < deadline
            time.sleep(0.1)
        with httpx.Client(base_url=base_url, timeout=PATIENCE_S, trust_env=False) as client:
            client.get("/score?word=secret", headers={"X-Request-ID": "mine-1"})
            client.get("/no%0Awhere")
            drawn = client.get("/livez").headers["x-request-id"]
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(STOP_LIMIT_S)
    told = [json.loads(line) for line in requests.read_text().splitlines()]
    assert [(one["path"], one["status"], one["method"]) for one in told] == [
        ("/score", 200, "GET"), ("/no%0Awhere", 400, "GET"), ("/livez", 200, "GET"),
    ]  # fmt: skip
    assert (told[0]["request_id"], told[2]["request_id"]) == ("mine-1", drawn)
    assert all(one["seconds"] > 0 for one in told)
    assert "secret" not in requests.read_text()
    happened = [json.loads(line) for line in events.read_text().splitlines()]
    assert any("serving bigram" in one["message"] for one in happened)
    assert not any("request_id" in one for one in happened)

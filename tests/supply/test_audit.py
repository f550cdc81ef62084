"""What an audit says: of real runs of pip-audit, asked of databases of our own."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from supply import audit
from supply.audit import Outcome, ask, judge
from supply.pins import CONSTRAINTS, read_pins
from tests.service.conftest import free_port

FAULTY = "starlette"
FAULT: dict[str, Any] = {
    "id": "TEST-2026-1",
    "summary": "it fails",
    "affected": [
        {
            "package": {"name": FAULTY, "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "99.0"}]}],
        }
    ],
}


@contextmanager
def database(faulty: str = "", status: int = 200) -> Iterator[list[str]]:
    """OSV's options for one that knows a vulnerability of a package."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            found = {"vulns": [FAULT]} if asked["package"]["name"] == faulty else {}
            body = json.dumps(found).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield at(server.server_port)
        finally:
            server.shutdown()
            thread.join()


def at(port: int) -> list[str]:
    return ["-s", "osv", "--osv-url", f"http://127.0.0.1:{port}"]


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def say(monkeypatch: pytest.MonkeyPatch, **services: list[str]) -> int:
    """Audit by these services."""
    monkeypatch.setattr(audit, "SERVICES", services)
    return audit.main([])


def test_all_that_is_pinned_is_asked_for() -> None:
    with database() as service:
        verdict = ask(service)
    count = len(read_pins(CONSTRAINTS))
    assert verdict.outcome is Outcome.CLEAN
    assert verdict.lines == (f"{count} packages, no known vulnerability",)


def test_a_known_vulnerability_fails_and_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with database(FAULTY) as service:
        assert say(monkeypatch, Ours=service) == 1
        assert ask(service, ["--ignore-vuln", FAULT["id"]]).outcome is Outcome.CLEAN
    version = read_pins(CONSTRAINTS)[FAULTY]
    assert capsys.readouterr().out == (
        f"audit by Ours: {FAULTY} {version}: TEST-2026-1, mended in 99.0\n"
    )


def test_a_database_that_cannot_be_reached_is_no_failure_and_no_success(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with database(status=503) as broken:
        assert say(monkeypatch, Closed=at(free_port()), Broken=broken) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("NOT AUDITED: ")
    assert "Closed: requests.exceptions.ConnectionError" in line
    assert "Broken: pip_audit._service.interface.ServiceError" in line


def test_the_next_database_is_asked_where_one_cannot_be_reached(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with database(FAULTY) as service:
        assert say(monkeypatch, Closed=at(free_port()), Ours=service) == 1
    assert capsys.readouterr().out.startswith("audit by Ours: ")


def report(*dependencies: dict[str, Any]) -> str:
    return json.dumps({"dependencies": dependencies, "fixes": []})


ABSENT = {
    "name": "alembic",
    "skip_reason": "Dependency not found on PyPI and could not be audited: alembic (1.20.1)",
}
SOUND: dict[str, Any] = {"name": "anyio", "version": "4.16.0", "vulns": []}


def test_a_database_that_knows_no_package_has_audited_nothing() -> None:
    # As pip-audit writes it behind a mirror of packages alone, which has no JSON of PyPI's.
    verdict = judge(0, report(ABSENT, ABSENT), "No known vulnerabilities found")
    assert verdict.outcome is Outcome.UNREACHED


def test_a_package_that_was_passed_over_is_named() -> None:
    verdict = judge(0, report(ABSENT, SOUND), "No known vulnerabilities found")
    assert verdict.outcome is Outcome.CLEAN
    assert verdict.lines[0].startswith("1 packages, no known vulnerability; not audited")
    assert verdict.lines[0].endswith(": alembic")


@pytest.mark.parametrize(
    ("status", "output", "errors"),
    [
        (2, "", "usage: pip-audit …\npip-audit: error: unrecognized arguments: --nonsense"),
        (1, "", "ERROR:pip_audit._cli:requirement alembic is not pinned to an exact version"),
        (-9, "", ""),
    ],
)
def test_a_fault_of_the_audit_itself_is_a_failure(status: int, output: str, errors: str) -> None:
    verdict = judge(status, output, errors)
    assert verdict.outcome is Outcome.FAILED
    assert verdict.lines[0]

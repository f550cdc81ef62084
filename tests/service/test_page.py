"""GET / and the files of the playground, as HTTP has them; test_playground.py opens it."""

import re
from pathlib import Path

import httpx
import pytest

from tests.service.conftest import ROOT, Service, assert_problem, request

PAGES = ROOT / "app" / "pages"
FILES = sorted(path.name for path in PAGES.iterdir())
MEDIA_TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "javascript",
    ".svg": "image/svg+xml",
}


def test_the_playground_is_at_the_root(client: httpx.Client) -> None:
    response = client.get("/")
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert response.content == (PAGES / "index.html").read_bytes()


@pytest.mark.parametrize("name", FILES)
def test_every_file_is_served_as_what_it_is(client: httpx.Client, name: str) -> None:
    response = client.get(f"/static/{name}")
    assert response.status_code == 200
    assert MEDIA_TYPES[Path(name).suffix] in response.headers["content-type"]
    assert response.content == (PAGES / name).read_bytes()
    head = client.head(f"/static/{name}")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == response.headers["content-length"]


@pytest.mark.parametrize("path", ["/", "/static/style.css", "/static/playground.js"])
def test_the_page_may_run_nothing_but_its_own_files(client: httpx.Client, path: str) -> None:
    headers = client.get(path).headers
    policy = headers["content-security-policy"].split("; ")
    assert {"default-src 'none'", "script-src 'self'", "style-src 'self'"} <= set(policy)
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["/", "/static/style.css"])
def test_a_browser_asks_each_time_and_is_told_that_it_has_the_file(
    client: httpx.Client, path: str
) -> None:
    headers = client.get(path).headers
    assert headers["cache-control"] == "no-cache"
    again = client.get(path, headers={"If-None-Match": headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == headers["etag"]
    assert client.get(path, headers={"If-None-Match": '"another"'}).status_code == 200


def test_the_documentation_s_swagger_ui_comes_from_here(client: httpx.Client) -> None:
    sources = re.findall(r'(?:src|href)="([^"]+)"', client.get("/docs").text)
    assert "static/swagger-ui-bundle.js" in sources
    for source in sources:
        assert client.get(f"/{source}").status_code == 200
    policy = client.get("/docs").headers["content-security-policy"]
    assert "script-src 'self';" in policy


def test_the_page_asks_no_other_site_for_anything() -> None:
    for name in FILES:
        text = (PAGES / name).read_text(encoding="utf-8")
        found = set(re.findall(r"(?:https?:)?//[\w.-]+\.\w+", text))
        assert found <= {"http://www.w3.org"}, name  # the namespace of SVG


def test_every_request_of_the_page_passes_through_one_function() -> None:
    asking = re.compile(r"\b(fetch|XMLHttpRequest|EventSource|sendBeacon|WebSocket)\b")
    found = {name: len(asking.findall((PAGES / name).read_text())) for name in FILES}
    assert {name: count for name, count in found.items() if count} == {"api.js": 1}


@pytest.mark.parametrize(
    "name", ["no.js", "..", "%2E%2E%2Fmain.py", ".", "py.typed", "index.html%2F", "n" * 5000]
)
def test_there_is_nothing_else(service: Service, name: str) -> None:
    assert_problem(request(service.port, f"/static/{name}".encode()), 404)


@pytest.mark.parametrize("path", ["/", "/static/style.css"])
def test_nothing_can_be_sent_to_the_page(client: httpx.Client, path: str) -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        response = client.request(method, path)
        assert_problem(response, 405)
        assert response.headers["allow"] == "GET, HEAD"

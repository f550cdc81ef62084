"""Every endpoint, parameter and status has its place in docs/api.md."""

import re
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute

from app.main import create_app
from app.settings import Settings

TEXT = (Path(__file__).parent.parent / "docs" / "api.md").read_text(encoding="utf-8")
APP = create_app(Settings())
DESCRIPTION = APP.openapi()
OPERATIONS = {
    f"{method.upper()} {path}": operation
    for path, operations in DESCRIPTION["paths"].items()
    for method, operation in operations.items()
}
ROUTES = [route for route in APP.routes if isinstance(route, APIRoute)]
HIDDEN = [route.path for route in ROUTES if not route.include_in_schema] + [str(APP.openapi_url)]


def sections() -> dict[str, str]:
    """By the anchor of its heading, each part of the page, with the parts below it."""
    found: dict[str, str] = {}
    readable = re.sub(r"```.*?```", _blank, TEXT, flags=re.DOTALL)
    headings = list(re.finditer(r"^(#+) (.*)$", readable, re.MULTILINE))
    for number, heading in enumerate(headings):
        later = [each for each in headings[number + 1 :] if len(each[1]) <= len(heading[1])]
        anchor = re.sub(r"[^\w -]", "", heading[2].lower()).replace(" ", "-")
        found[anchor] = TEXT[heading.start() : later[0].start() if later else len(TEXT)]
    return found


def _blank(block: re.Match[str]) -> str:
    """As long, without anything that looks like a heading."""
    return " " * len(block[0])


SECTIONS = sections()


def told_of(name: str) -> str:
    """The section of an operation, and those that it refers to."""
    path = re.escape(name.replace("{model_id}", "{id}"))
    telling = [anchor for anchor, text in SECTIONS.items() if re.search(rf"`{path}[`?]", text)]
    assert telling, f"{name} is not in docs/api.md"
    # The one with the path in its heading; else the narrowest.
    headed = [each for each in telling if re.search(rf"`{path}[`?]", SECTIONS[each].split("\n")[0])]
    seen: set[str] = set()
    to_read = [min(headed or telling, key=lambda each: len(SECTIONS[each]))]
    while to_read:
        anchor = to_read.pop()
        if anchor not in seen:
            seen.add(anchor)
            to_read += re.findall(r"\]\(#([^)]+)\)", SECTIONS[anchor])
    return "".join(SECTIONS[anchor] for anchor in sorted(seen))


def fields(operation: dict[str, Any]) -> list[str]:
    """The names in a query, in headers, and in the body."""
    named = [each["name"] for each in operation.get("parameters", ()) if each["in"] != "path"]
    for content in operation.get("requestBody", {}).get("content", {}).values():
        schema = DESCRIPTION["components"]["schemas"][content["schema"]["$ref"].rpartition("/")[2]]
        named += schema["properties"]
    return named


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_parameter_is_told_of_where_its_endpoint_is(name: str) -> None:
    text = told_of(name)
    missing = [each for each in fields(OPERATIONS[name]) if f"`{each}`" not in text]
    assert not missing


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_status_is_told_of(name: str) -> None:
    text = told_of(name)
    for status in OPERATIONS[name]["responses"]:
        if int(status) >= 400:
            assert f"\n| {status} | " in SECTIONS["errors"], status
        elif status != "200":
            assert status in text, status


@pytest.mark.parametrize("path", HIDDEN)
def test_what_openapi_leaves_out_is_told_of(path: str) -> None:
    assert f"`{path.partition('{')[0]}`" in TEXT or f"`GET {path}`" in TEXT

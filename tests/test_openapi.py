"""Every change of what can be asked over HTTP, and of what is answered, is meant."""

import json

import pytest

from tests.golden import OPENAPI, contract

AGREED = json.loads(OPENAPI.read_text(encoding="utf-8"))
PRESENT = json.loads(json.dumps(contract()))


def test_there_are_no_other_parts_than_those_agreed_on() -> None:
    assert set(PRESENT) == set(AGREED)
    assert set(PRESENT["paths"]) == set(AGREED["paths"])
    assert set(PRESENT["components"]["schemas"]) == set(AGREED["components"]["schemas"])
    rest = {key: part for key, part in PRESENT.items() if key not in ("paths", "components")}
    assert rest == {key: AGREED[key] for key in rest}


@pytest.mark.parametrize("path", sorted(AGREED["paths"]))
def test_a_path_is_as_agreed(path: str) -> None:
    assert PRESENT["paths"][path] == AGREED["paths"][path]


@pytest.mark.parametrize("name", sorted(AGREED["components"]["schemas"]))
def test_a_schema_is_as_agreed(name: str) -> None:
    assert PRESENT["components"]["schemas"][name] == AGREED["components"]["schemas"][name]


def test_every_tag_is_explained() -> None:
    used = {
        tag
        for operations in PRESENT["paths"].values()
        for operation in operations.values()
        for tag in operation["tags"]
    }
    assert {tag["name"] for tag in PRESENT["tags"] if tag["description"]} == used

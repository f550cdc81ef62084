"""Every curl of README, API page and cookbook, and every example of OpenAPI, as it stands there."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.service import keyed
from tests.service.conftest import ROOT, Serve, Service

PAGES = (ROOT / "README.md", ROOT / "docs" / "api.md", ROOT / "docs" / "cookbook.md")
FOR_THE_READER = ("model=mine", "model=elves", "…")
"""In commands that need what only their reader has: a model just fitted, an ETag."""


def commands(page: Path) -> Iterator[tuple[str, str]]:
    """Each curl of a page and the answer shown below it, if one is."""
    return commands_in(page.read_text(encoding="utf-8"))


def commands_in(text: str) -> Iterator[tuple[str, str]]:
    """The same, of a part of a page."""
    for block in re.findall(r"```console\n(.*?)```", text, re.DOTALL):
        for entry in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, shown = entry.replace("\\\n", " ").partition("\n")
            if command.startswith("curl ") and not any(map(command.count, FOR_THE_READER)):
                yield re.sub(r" > \S+$", "", command), shown


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize(("command", "shown"), [one for page in PAGES for one in commands(page)])
def test_a_documented_command_answers_as_shown(service: Service, command: str, shown: str) -> None:
    here = command.replace("localhost:8000", f"127.0.0.1:{service.port}")
    ran = subprocess.run(["bash", "-c", here], capture_output=True, timeout=60, check=True)
    answer = ran.stdout.decode()
    assert answer
    assert "about:blank" in shown or "about:blank" not in answer, answer  # an error
    for part in shown.replace("\n ", "").strip().split("…"):  # "…" stands for what is left out
        assert part in answer, f"not there, or not in this order: {part}"
        answer = answer[answer.index(part) + len(part) :]


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_commands_about_keys_come_in_with_one_and_not_without(serve: Serve) -> None:
    text = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    section = text.partition("\n### Keys\n")[2].partition("\n### ")[0]
    found = [command for command, _ in commands_in(section)]
    assert len(found) == 2
    with serve(API_KEYS=keyed.entry(keyed.ALICE), **keyed.ALONE) as service:
        for command in found:
            here = command.replace("localhost:8000", f"127.0.0.1:{service.port}")
            for key, told in (
                (keyed.ALICE, '"names"'),
                ("", "about:blank"),
                ("nw_other", "about:blank"),
            ):
                environment = os.environ | {"KEY": key}
                ran = subprocess.run(
                    ["bash", "-c", here], capture_output=True, timeout=60, env=environment
                )
                assert told in ran.stdout.decode()


@pytest.mark.parametrize("path", ["/generate", "/score", "/next", "/names/{key}", "/compare"])
def test_the_examples_of_an_operation_run(client: httpx.Client, path: str) -> None:
    operation = client.get("/openapi.json").json()["paths"][path]["get"]
    given = {
        parameter["name"]: parameter["schema"]["examples"][0]
        for parameter in operation["parameters"]
        if "examples" in parameter["schema"]
    }
    assert given
    query = {name: value for name, value in given.items() if f"{{{name}}}" not in path}
    response = client.get(path.format_map(given), params=query)
    assert response.status_code == 200, response.text

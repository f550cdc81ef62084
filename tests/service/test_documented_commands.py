"""Every curl of README, API page and cookbook, and every example of OpenAPI, as it stands there."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.service.conftest import ROOT, Service

PAGES = (ROOT / "README.md", ROOT / "docs" / "api.md", ROOT / "docs" / "cookbook.md")
FOR_THE_READER = ("model=mine", "model=elves", "…")
"""In commands that need what only their reader has: a model just fitted, an ETag."""


def commands(page: Path) -> Iterator[tuple[str, str]]:
    """Each curl of a page and the answer shown below it, if one is."""
    for block in re.findall(r"```console\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
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

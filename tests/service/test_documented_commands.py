"""Every curl of the README and of docs/api.md, run as it stands there."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service.conftest import ROOT, Service

PAGES = (ROOT / "README.md", ROOT / "docs" / "api.md")
OF_ONE_S_OWN = "model=mine"  # is there only when its reader has fitted it

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")


def commands(page: Path) -> Iterator[tuple[str, str]]:
    """Each curl of a page and the answer shown below it, if one is."""
    for block in re.findall(r"```console\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
        for entry in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, shown = entry.replace("\\\n", " ").partition("\n")
            if command.startswith("curl ") and OF_ONE_S_OWN not in command:
                yield command, shown


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

"""What the documentation must not miss."""

import re
from pathlib import Path

import pytest

from app.main import create_app
from app.settings import Settings

ROOT = Path(__file__).parent.parent
DOCS = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "docs").glob("*.md")}
OPERATIONS = create_app(Settings()).openapi()["paths"]


@pytest.mark.parametrize("path", OPERATIONS)
def test_every_endpoint_is_documented(path: str) -> None:
    assert path.replace("{model_id}", "{id}") in DOCS["api.md"]


@pytest.mark.parametrize("path", OPERATIONS)
def test_every_operation_has_a_summary_a_description_and_a_stable_id(path: str) -> None:
    for operation in OPERATIONS[path].values():
        assert operation["summary"]
        assert operation["description"]
        # The framework's own would change with the function's name and the path.
        assert not operation["operationId"].endswith(("_get", "_post"))


@pytest.mark.parametrize("path", [*ROOT.glob("*.md"), *ROOT.glob("[bd]*/*.md")], ids=str)
def test_links_between_documents_lead_somewhere(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for target in (part.split(")")[0] for part in text.split("](")[1:]):
        if target.startswith("http"):
            continue
        file, _, heading = target.partition("#")
        linked = path.parent / file if file else path
        assert linked.exists(), f"{path}: {target}"
        assert not heading or heading in _headings(linked), f"{path}: {target}"


def _headings(path: Path) -> set[str]:
    """The headings of a document, as links have them."""
    lines = path.read_text(encoding="utf-8").splitlines()
    titles = [line.lstrip("#").strip().lower() for line in lines if line.startswith("#")]
    return {re.sub(r"[^\w -]", "", title).replace(" ", "-") for title in titles}

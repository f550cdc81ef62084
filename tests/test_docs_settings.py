"""Every setting and make target is documented as it is, and none that is not."""

import re
from pathlib import Path
from typing import get_args

import pytest

from app.settings import Settings

ROOT = Path(__file__).parent.parent
SETTINGS = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), ROOT / "benchmarks" / "README.md"]
DEPLOYED = [ROOT / "Dockerfile", ROOT / "docker-compose.yml", ROOT / "Makefile"]
NAME = re.compile(r"NAMEWRIGHT_[A-Z_]*[A-Z]")


def read_by(*folders: str) -> set[str]:
    """The variables that code of ours outside of the service names."""
    files = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    return {name for path in files for name in NAME.findall(path.read_text(encoding="utf-8"))}


def row(variable: str) -> str:
    """What docs/settings.md says of a variable."""
    rows = [line for line in SETTINGS.splitlines() if line.startswith(f"| `{variable}` |")]
    assert len(rows) == 1, f"{variable} is not once in docs/settings.md"
    return rows[0]


@pytest.mark.parametrize("name", Settings.model_fields)
def test_a_setting_has_its_default_and_its_range(name: str) -> None:
    field = Settings.model_fields[name]
    told = row(f"NAMEWRIGHT_{name.upper()}")
    _, _, default, meaning, _ = re.split(r"(?<!\\)\|", told)
    if isinstance(field.default, str | int | float):
        shown = str(field.default).lower() if isinstance(field.default, bool) else field.default
        assert default.strip().startswith("empty" if field.default == "" else f"`{shown}`")
    bounds = [getattr(each, bound, None) for each in field.metadata for bound in ("gt", "ge", "le")]
    for bound in bounds:
        assert bound is None or re.search(rf"\b{bound}\b", meaning), f"{bound} is missing"
    for choice in get_args(field.annotation):
        assert not isinstance(choice, str) or f"`{choice}`" in told, choice


@pytest.mark.parametrize("variable", sorted(read_by("training")))
def test_a_variable_that_training_reads_is_documented(variable: str) -> None:
    assert row(variable)


@pytest.mark.parametrize("path", [*PAGES, *DEPLOYED], ids=lambda path: path.name)
def test_no_variable_is_told_of_that_nothing_reads(path: Path) -> None:
    compose = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    known = {f"NAMEWRIGHT_{name.upper()}" for name in Settings.model_fields}
    known |= read_by("training", "benchmarks") | set(
        re.findall(r"\$\{(NAMEWRIGHT_[A-Z_]+)", compose)
    )
    assert not set(NAME.findall(path.read_text(encoding="utf-8"))) - known


def test_every_make_target_is_documented() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (phony,) = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    told = "\n".join(path.read_text(encoding="utf-8") for path in PAGES)
    assert not [target for target in phony.split() if not re.search(rf"\bmake {target}\b", told)]

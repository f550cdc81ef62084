"""What the image installs is what is pinned, all of it, by hash."""

import re
from pathlib import Path

import pytest

from supply.lock import RUNTIME, SBOM, SBOM_TOOL
from supply.pins import CONSTRAINTS, ROOT, TORCH, closure, read_pins, runtime

PINNED = read_pins(CONSTRAINTS)
LOCKS = [(RUNTIME, runtime() - {TORCH}), (SBOM, closure([SBOM_TOOL]))]


@pytest.mark.parametrize(("path", "names"), LOCKS, ids=["runtime", "sbom"])
def test_a_lock_has_exactly_what_is_needed_at_the_pinned_versions(
    path: Path, names: set[str]
) -> None:
    assert read_pins(path) == {name: PINNED[name] for name in names}, "make lock writes it anew"


@pytest.mark.parametrize("path", [RUNTIME, SBOM], ids=lambda path: path.name)
def test_a_lock_has_hashes_of_everything_and_no_address(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if line.startswith(" "):
            assert re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}( \\)?", line)
        else:
            assert re.fullmatch(r"[a-z0-9-]+==\S+ \\", line)
            assert following.startswith("    --hash=sha256:")
    assert "://" not in text


def test_every_package_of_a_developer_is_pinned_too() -> None:
    # pip is that of the environment.
    assert closure(["namewright[dev]"]) - {"pip"} <= PINNED.keys()


def test_extras_of_the_image_bring_what_they_are_for() -> None:
    names = runtime()
    assert {"redis", "opentelemetry-sdk", "requests", "setuptools", TORCH} <= names
    assert not names & {"pytest", "matplotlib", "pip-audit"}


def test_the_dockerfile_installs_by_hash_alone_but_for_torch() -> None:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    commands = [part for part in re.split(r"&&|\n|;", text) if "pip install" in part]
    loose = [
        each.split()[-1]
        for each in commands
        if "--require-hashes" not in each and "--no-build-isolation ." not in each
    ]
    assert loose == [TORCH]
    assert all("--no-deps" in each for each in commands if each.split()[-1] != TORCH)
    bases = re.findall(r"^FROM (\S+)(?: AS (\w+))?", text, re.MULTILINE)
    assert {base for base, stage in bases if stage != "sbom"} == {"${BASE_IMAGE}"}

"""What is pinned, and what the image needs of it.

`constraints.txt` pins every package that any environment of ours has. The image needs few of them:
the closure of what pyproject.toml names, by the metadata of the installed packages, as it is on
Linux with any Python 3.11, on either machine.
"""

import re
import tomllib
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
CONSTRAINTS = ROOT / "constraints.txt"

EXTRAS = ("otel", "redis")
"""Of ours, in the image."""
TORCH = "torch"
"""Its build is the index's choice, and so are its hash and, of CUDA's, the libraries of NVIDIA."""

_PIN = re.compile(r"^(?P<name>[\w.-]+)==(?P<version>[^\s;\\]+)", re.MULTILINE)
_LINUX = {
    "os_name": "posix",
    "platform_system": "Linux",
    "python_version": "3.11",
    "sys_platform": "linux",
}
_IMAGES = [
    _LINUX | {"platform_machine": machine, "python_full_version": version}
    for machine in ("x86_64", "aarch64")
    for version in ("3.11.0", "3.11.99")  # the base image has whichever is new
]


def read_pins(path: Path) -> dict[str, str]:
    """Versions by canonical name, of a file of constraints or requirements."""
    found = _PIN.findall(path.read_text(encoding="utf-8"))
    return {canonicalize_name(name): version for name, version in found}


def wanted(extras: Iterable[str]) -> list[str]:
    """What pyproject.toml asks for, with these extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    optional = project["optional-dependencies"]
    return [*project["dependencies"], *(each for extra in extras for each in optional[extra])]


def closure(requirements: Iterable[str]) -> set[str]:
    """The canonical names of what these requirements need, themselves included.

    What torch needs counts only where it is pinned: its builds differ in the rest.

    Raises:
        PackageNotFoundError: one that should be installed here is not.
    """
    pinned = read_pins(CONSTRAINTS)
    found: set[tuple[str, frozenset[str]]] = set()
    waiting = [Requirement(each) for each in requirements]
    while waiting:
        requirement = waiting.pop()
        name, extras = canonicalize_name(requirement.name), frozenset(requirement.extras)
        if (name, extras) in found:
            continue
        found.add((name, extras))
        for needed in map(Requirement, _needs(requirement)):
            chosen = name != TORCH or canonicalize_name(needed.name) in pinned
            if chosen and _applies(needed, extras):
                waiting.append(needed)
    return {name for name, _ in found} - {"namewright"}


def runtime() -> set[str]:
    """The names of what the image holds, torch included."""
    return closure(wanted(EXTRAS))


def _needs(requirement: Requirement) -> list[str]:
    if requirement.name == "namewright":  # an installation of it may be older than its file
        return wanted(sorted(requirement.extras))
    try:
        return requires(requirement.name) or []
    except PackageNotFoundError:
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            raise
        return []  # another Python than this one needs it; such backports need no more


def _applies(requirement: Requirement, extras: frozenset[str]) -> bool:
    marker = requirement.marker
    return marker is None or any(
        marker.evaluate(image | {"extra": extra}) for image in _IMAGES for extra in extras or ("",)
    )

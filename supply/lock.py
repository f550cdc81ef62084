"""python -m supply.lock: write what the image installs, with the hashes of its files.

pip-compile finds the hashes; which packages there are, at which versions, is decided before it is
asked, so that the files are the same whichever build of torch is installed here. The hashes of a
version that has not changed are taken from the file as it is.
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from supply.pins import CONSTRAINTS, ROOT, TORCH, closure, read_pins, runtime

RUNTIME = ROOT / "deploy" / "requirements.lock"
"""What the image holds, but for torch."""
SBOM = ROOT / "deploy" / "sbom.lock"
"""What its build lists that with, which stays outside."""

SBOM_TOOL = "cyclonedx-bom"

_HEAD = """# Written by `make lock`, of constraints.txt: {what}.
"""


def main() -> int:
    """Write both files; returns the exit status."""
    _write(RUNTIME, "what the image holds, but for torch", runtime() - {TORCH})
    _write(SBOM, "what lists the image's packages", closure([SBOM_TOOL]))
    return 0


def _write(path: Path, what: str, names: Iterable[str]) -> None:
    pinned = read_pins(CONSTRAINTS)
    lines = [f"{name}=={pinned[name]}\n" for name in sorted(names)]
    with tempfile.TemporaryDirectory() as folder:
        source, written = Path(folder) / "requirements.in", Path(folder) / path.name
        source.write_text("".join(lines), encoding="utf-8")
        if path.exists():
            written.write_bytes(path.read_bytes())
        subprocess.run(
            [
                *(sys.executable, "-m", "piptools", "compile", "--quiet", "--generate-hashes"),
                # No address of an index, nor of a folder, is for others.
                *("--no-emit-options", "--no-header", "--no-annotate", "--strip-extras"),
                *("--allow-unsafe", "--no-config"),
                *("--output-file", str(written), str(source)),
            ],
            check=True,
        )
        hashed = written.read_text(encoding="utf-8")
    path.write_text(_HEAD.format(what=what) + hashed, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())

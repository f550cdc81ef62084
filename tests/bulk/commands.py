"""Commands in processes of their own, and the files that they leave."""

import os
import subprocess
import sys
from hashlib import file_digest
from pathlib import Path

import psutil

ROOT = Path(__file__).parent.parent.parent
LIMIT_S = 300


def start(package: str, *arguments: object) -> "subprocess.Popen[str]":
    """A command of a package in processes of its own, where signals are real."""
    inherited = {name: value for name, value in os.environ.items() if "NAMEWRIGHT_" not in name}
    return subprocess.Popen(
        [sys.executable, "-m", package, *(str(each) for each in arguments)],
        cwd=ROOT,
        env=inherited | {"NAMEWRIGHT_DEFAULT_MODEL": "bigram"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: "subprocess.Popen[str]") -> tuple[int, str]:
    """Its exit status, and what it has told."""
    _, told = process.communicate(timeout=LIMIT_S)
    return process.returncode, told


def complete(*arguments: object) -> str:
    """What a run of `bulk` tells that completes its job."""
    status, told = finish(start("bulk", *arguments))
    assert status == 0, told
    return told


def parts(folder: Path) -> list[Path]:
    return sorted(folder.glob("part-*.parquet"))


def hashes(folder: Path) -> dict[str, str]:
    """sha256 of everything that is there."""
    found = {}
    for path in sorted(folder.iterdir()):
        with path.open("rb") as file:
            found[path.name] = file_digest(file, "sha256").hexdigest()
    return found


def workers_of(process: "subprocess.Popen[str]") -> list[psutil.Process]:
    children = psutil.Process(process.pid).children()
    return [each for each in children if "spawn_main" in " ".join(each.cmdline())]

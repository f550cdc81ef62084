"""A checkpoint with one bit flipped, or cut short: refused, whatever bit and wherever cut."""

import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from models.checkpoint import load_checkpoint
from tests.exact import CHECKPOINTS
from tests.faults.refusals import Refusals, files_of
from tests.faults.report import Report
from tests.faults.scale import scaled

FLIPS = 10_000
TRUNCATIONS = 1_000
OF_EACH_FILE = 0.01
"""Of all of them, at the least: a small file is hit in proportion hardly ever."""


@pytest.fixture(params=["bigram", "gru"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A copy of a bundled checkpoint; it must be in order again at the end."""
    copy = tmp_path / request.param
    shutil.copytree(CHECKPOINTS / request.param, copy)
    fingerprint = load_checkpoint(copy).fingerprint
    yield copy
    assert load_checkpoint(copy).fingerprint == fingerprint


def places(folder: Path, full: int, dice: random.Random) -> Iterator[tuple[Path, int]]:
    """Offsets in the files of a checkpoint, in each by its size."""
    sizes = {path: path.stat().st_size for path in files_of(folder)}
    whole = sum(sizes.values())
    for path, size in sizes.items():
        for _ in range(scaled(full * max(OF_EACH_FILE, size / whole))):
            yield path, dice.randrange(size)


def test_every_flipped_bit_is_refused_by_the_name_of_a_file(folder: Path, report: Report) -> None:
    dice, refusals = random.Random(1), Refusals()
    for path, offset in places(folder, FLIPS, dice):
        bit = dice.randrange(8)
        sound = path.read_bytes()
        damaged = bytearray(sound)
        damaged[offset] ^= 1 << bit
        path.write_bytes(damaged)
        # A hash that was damaged in the manifest speaks of the file that it is of.
        named = () if path.name == "manifest.json" else (path,)
        refusals.load(folder, f"{path.name}: bit {bit} of byte {offset}", *named)
        path.write_bytes(sound)
    report.add_all(refusals.verify())


def test_every_truncation_is_refused_by_the_name_of_its_file(folder: Path, report: Report) -> None:
    dice, refusals = random.Random(2), Refusals()
    lacking_a_byte = [(path, path.stat().st_size - 1) for path in files_of(folder)]
    empty = [(path, 0) for path in files_of(folder)]
    for path, size in [*places(folder, TRUNCATIONS, dice), *lacking_a_byte, *empty]:
        sound = path.read_bytes()
        os.truncate(path, size)
        refusals.load(folder, f"{path.name}: cut to {size} bytes", path)
        path.write_bytes(sound)
    report.add_all(refusals.verify())

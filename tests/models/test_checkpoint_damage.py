"""Damage to a checkpoint that its hashes show."""

import os
import random
from pathlib import Path

import pytest

from models.checkpoint import load_checkpoint
from models.errors import CheckpointError
from tests.models.conftest import FILES, flip, refusal


def test_1000_flipped_bits_are_refused_by_the_name_of_their_file(make_checkpoint):
    folder = make_checkpoint("transformer")
    dice = random.Random(0)
    names = sorted(FILES | {"manifest.json"})
    for i in range(1000):
        path = folder / names[i % len(names)]
        position, bit = dice.randrange(path.stat().st_size), dice.randrange(8)
        flip(path, position, bit)
        with pytest.raises(CheckpointError) as caught:
            load_checkpoint(folder)
        # A hash that was damaged in the manifest speaks of the file that it is of.
        assert caught.value.path == str(path) or path.name == "manifest.json"
        assert Path(caught.value.path).parent == folder
        flip(path, position, bit)
    load_checkpoint(folder)


def test_200_truncations_are_refused_by_the_name_of_their_file(make_checkpoint):
    folder = make_checkpoint("transformer")
    dice = random.Random(0)
    names = sorted(FILES | {"manifest.json"})
    for i in range(200):
        path = folder / names[i % len(names)]
        sound = path.read_bytes()
        left = dice.randrange(len(sound)) if i >= len(names) else 0
        os.truncate(path, left)
        cause = refusal(folder, path.name)
        if path.name != "manifest.json":
            assert cause == f"truncated: {left} of {len(sound)} bytes"
        path.write_bytes(sound)
    load_checkpoint(folder)


@pytest.mark.parametrize("name", sorted(FILES | {"manifest.json"}))
def test_a_missing_file_is_named(name, make_checkpoint):
    folder = make_checkpoint("bigram")
    (folder / name).unlink()
    assert "No such file" in refusal(folder, name)

"""Every damage to a bundled checkpoint is noticed, whatever byte it hits."""

import random
import shutil
from pathlib import Path

import pytest

from models.checkpoint import load_checkpoint, replace_plots
from models.errors import CheckpointError
from tests.exact import CHECKPOINTS

FLIPS = 1000
TRUNCATIONS = 200
PLOTS = {
    name: f'<svg xmlns="http://www.w3.org/2000/svg"><title>{name}</title></svg>'.encode()
    for name in ("loss", "nll")
}


def refused(folder: Path, path: Path, damaged: bytes) -> bool:
    """Whether the checkpoint is refused, by naming its file, with `path` so damaged."""
    whole = path.read_bytes()
    path.write_bytes(damaged)
    try:
        load_checkpoint(folder)
    except CheckpointError as error:
        return str(folder) in error.path
    else:
        return False
    finally:
        path.write_bytes(whole)


@pytest.mark.slow
@pytest.mark.parametrize("model_id", ["bigram", "transformer"])
def test_every_flipped_bit_and_every_truncation_is_refused(model_id: str, tmp_path: Path) -> None:
    folder = tmp_path / model_id
    shutil.copytree(CHECKPOINTS / model_id, folder)
    replace_plots(folder, PLOTS)
    load_checkpoint(folder)  # in order before
    chance = random.Random(20261121)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    unnoticed = []
    for path in chance.choices(files, k=FLIPS):  # each file its share, the small ones too
        data = bytearray(path.read_bytes())
        place, bit = chance.randrange(len(data)), chance.randrange(8)
        data[place] ^= 1 << bit
        if not refused(folder, path, bytes(data)):
            unnoticed.append((path.name, place, bit))
    for path in chance.choices(files, k=TRUNCATIONS):
        size = chance.randrange(path.stat().st_size)
        if not refused(folder, path, path.read_bytes()[:size]):
            unnoticed.append((path.name, size, "truncated"))
    assert unnoticed == []
    load_checkpoint(folder)  # and after

"""What several files of these tests share: damage to checkpoints, models by hand, folders."""

import math
import re
import subprocess
import sys
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from safetensors.torch import load as tensors_from_bytes
from safetensors.torch import save as tensors_to_bytes

import models
from models.base import LanguageModel
from models.checkpoint import load_checkpoint
from models.errors import CheckpointError
from models.registry import ARCHITECTURES
from models.request import Generated
from models.sampling import SamplingParams
from models.storage import parse_json, to_json, write_folder
from models.vocabulary import BOUNDARY, Vocabulary

each_architecture = pytest.mark.parametrize("architecture", ARCHITECTURES)

# ---------------------------------------------------------------- checkpoints

FILES = {
    "config.json",
    "metrics.jsonl",
    "model.safetensors",
    "reference.json",
    "training_names.txt",
}
"""Of a checkpoint without pictures, beside the manifest."""


def rewrite(folder: Path, name: str, data: bytes) -> None:
    """Replace a file of a checkpoint, hashes and all: damage that no hash can show."""
    files = {file: (folder / file).read_bytes() for file in FILES}
    write_folder(folder, files | {name: data})


def edit_json(folder: Path, name: str, change: Callable[[Any], Any]) -> None:
    value = parse_json((folder / name).read_bytes())
    change(value)
    rewrite(folder, name, to_json(value))


def edit_tensors(folder: Path, change: Callable[[dict[str, torch.Tensor]], Any]) -> None:
    tensors = tensors_from_bytes((folder / "model.safetensors").read_bytes())
    change(tensors)
    rewrite(folder, "model.safetensors", tensors_to_bytes(tensors))


def flip(path: Path, position: int, bit: int) -> None:
    with path.open("r+b") as file:
        file.seek(position)
        (byte,) = file.read(1)
        file.seek(position)
        file.write(bytes([byte ^ 1 << bit]))


def refusal(folder: Path, file: str) -> str:
    """The cause for which a checkpoint is refused, which is in `file`."""
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(folder)
    assert caught.value.path == str(folder / file)
    assert str(caught.value) == f"{folder / file}: {caught.value.cause}"
    return caught.value.cause


# ---------------------------------------------------------------- generation

Served = tuple[LanguageModel, Vocabulary]

HOT = SamplingParams(temperature=3.0)
"""Near uniform: names of every length, whatever the random model."""

HANGUL = "나는 학교에 간다.\n"


@pytest.fixture
def chain(make_model: Callable[..., Served]) -> Callable[[dict[str, str]], Served]:
    """chain({"": "a", "a": "ab"}): an unsmoothed bigram model, "" the boundary."""

    def make(followers: dict[str, str]) -> Served:
        alphabet = "".join(sorted(set("".join(followers) + "".join(followers.values())) - {"."}))
        model, vocabulary = make_model("bigram", alphabet=alphabet)
        model.counts.zero_()
        model.smoothing.zero_()
        for character, next_ones in followers.items():
            row = vocabulary.encode(character)[0] if character else BOUNDARY
            for following in next_ones:
                column = BOUNDARY if following == "." else vocabulary.encode(following)[0]
                model.counts[row, column] += 1
        return model, vocabulary

    return make


def exactly(generated: Generated) -> list[tuple[str, int, str]]:
    """The names of an answer, or its texts, their NLLs to the bit."""
    return [(drawn.name, drawn.index, drawn.nll.hex()) for drawn in generated.names]


def names_of(generated: Generated) -> list[str]:
    """The names of an answer, or its texts."""
    return [drawn.name for drawn in generated.names]


def finished(steps: Generator[None, None, Any]) -> tuple[Any, int]:
    """What work in slices comes to, and how often it paused."""
    pauses = 0
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value, pauses
        pauses += 1


# ---------------------------------------------------------------- sampling

ROUNDING = 1e-12

# Ties are common among small integers, and an unsmoothed model says -inf.
logits = (
    st.integers(2, 12)
    .flatmap(
        lambda size: arrays(
            np.float64,
            st.tuples(st.integers(1, 4), st.just(size)),
            elements=st.sampled_from([-math.inf, -700.0, -3.0, -1.5, -1.0, 0.0, 1.0, 2.0, 700.0])
            | st.floats(-20, 20),
        )
    )
    .filter(lambda values: bool(np.isfinite(values).any(axis=1).all()))
)


def log(*probs: float) -> np.ndarray:
    """One row of log-probabilities."""
    with np.errstate(divide="ignore"):
        return np.log(np.array([probs]))


# ---------------------------------------------------------------- storage

OLD = {"a.txt": b"old a\n", "b.bin": bytes(range(256))}
NEW = {"a.txt": b"", "b.bin": b"new b" * 1000}
PICTURED = OLD | {f"plots/{name}.svg": name.encode() * 50 for name in ("loss", "nll")}
FEWER = NEW | {"plots/nll.svg": b"another"}
PICTURES = re.compile(r"plots/[a-z0-9-]+\.svg")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that holds OLD."""
    path = tmp_path / "folder"
    write_folder(path, OLD)
    return path


def content(folder: Path) -> dict[str, bytes | None]:
    """Everything below a folder; None is a folder."""
    return {
        str(path.relative_to(folder)): None if path.is_dir() else path.read_bytes()
        for path in sorted(folder.rglob("*"))
    }


def in_another_process(program: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run Python that may import `models`. The limit is for a hang, not a measurement."""
    return subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        cwd=Path(models.__path__[0]).parent,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

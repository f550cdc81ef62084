"""A tiny corpus, recipes of every kind that fit it in no time, and a small command line."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from models.vocabulary import Vocabulary
from training.recipes import Descent, Ensemble, Recipe

ROOT = Path(__file__).parent.parent.parent

NAMES = [a + b + c for a in "kmt" for b in "aei" for c in ("", "n", "ra", "lia")]
VOCABULARY = Vocabulary.of(NAMES)
SHORT = Descent(steps=12, batch_size=10, warmup_steps=2, eval_every=4, ema_decay=0.8)
TEXT = "나는 학교에 간다.\n너도 가자!\n그는 왔다. " * 60

_GRU = Recipe("gru", SHORT, n_embd=8, n_embd2=8, dropout=0.1)
_TRANSFORMER = Recipe("transformer", SHORT, n_layer=1, n_head=2, n_embd=8, dropout=0.2)
TINY = {
    "rnn": Recipe("rnn", SHORT, n_embd=8, n_embd2=8),
    "gru": _GRU,
    "cnn": Recipe("cnn", replace(SHORT, parts=1), block_size=4, n_embd=8, n_embd2=8, dropout=0.1),
    "transformer": _TRANSFORMER,
    "mixture": Recipe("mixture", Ensemble((_GRU, _TRANSFORMER))),
}
"""By architecture."""


@pytest.fixture
def interruptible() -> Iterator[None]:
    """SIGINT as a terminal gives it; in the background it is ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def assert_same_weights(model: torch.nn.Module, other: torch.nn.Module) -> None:
    """Check that two models are equal, bit by bit."""
    weights, others = model.state_dict(), other.state_dict()
    assert weights.keys() == others.keys()
    for name, tensor in weights.items():
        assert torch.equal(tensor, others[name]), name


def start_training(*arguments: object, log: Path) -> "subprocess.Popen[bytes]":
    """Start tests/training/__main__.py in a process group of its own; `log` gets its output."""
    with log.open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "tests.training", *map(str, arguments)],
            cwd=ROOT,
            env=_environment({}),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            # A test run in the background has SIGINT ignored, which would be inherited.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )


def run_training(
    *arguments: object, module: Sequence[str] = ("training",), **environment: str
) -> "subprocess.CompletedProcess[str]":
    """Run `python -m training`, or another module, to its end."""
    return subprocess.run(
        [sys.executable, "-m", *module, *map(str, arguments)],
        cwd=ROOT,
        env=_environment(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def _environment(changes: Mapping[str, str]) -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", **changes}

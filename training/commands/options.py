"""Options that several verbs take, and what they share in reading them."""

import argparse

import torch

from models.errors import ConfigError
from training.run import PRECISIONS

STOPPED = 130
"""Exit status of a run that was asked to stop, as shells have it for Ctrl-C."""


def add_run_options(command: argparse.ArgumentParser) -> None:
    """Add what every verb that trains takes."""
    command.add_argument(
        "--seed",
        type=_seed,
        default=3407,
        help="of initialisation, data order and dropout, 0 to 4294967295; 3407 if not given",
    )
    command.add_argument(
        "--device",
        choices=["cpu", "cuda"],
        default="cuda" if torch.cuda.is_available() else "cpu",
        help="cuda where there is one, if not given",
    )
    command.add_argument(
        "--precision",
        choices=PRECISIONS,
        default=PRECISIONS[0],
        help="of matrix products in training; weights stay float32",
    )


def check_device(device: str) -> None:
    """Raise ConfigError where there is no such device."""
    if device == "cuda" and not torch.cuda.is_available():
        raise ConfigError("--device cuda: torch finds no CUDA device")


def _seed(text: str) -> int:
    seed = int(text)
    if not 0 <= seed < 2**32:
        raise argparse.ArgumentTypeError("allowed: 0 to 4294967295")
    return seed


def positive(text: str) -> int:
    """A whole number of at least 1."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("allowed: 1 and more")
    return number

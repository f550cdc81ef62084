"""held-out: what percentiles of scores are told against, measured anew."""

import argparse
from pathlib import Path
from typing import Any

import torch

from models.checkpoint import load_checkpoint, replace_held_out
from training.held_out import measure_held_out
from training.sources import find_corpus_of


def add_parser(commands: Any, data: argparse.ArgumentParser) -> None:
    """Add the verb to the command line."""
    command = commands.add_parser(
        "held-out",
        parents=[data],
        help="score the held-out names of checkpoints again; nothing else changes",
    )
    command.add_argument("checkpoints", nargs="+", type=Path, metavar="FOLDER", help="a checkpoint")
    command.set_defaults(run=_held_out)


def _held_out(options: argparse.Namespace) -> int:
    torch.set_num_threads(1)  # as it is served
    for folder in options.checkpoints:
        checkpoint = load_checkpoint(folder)
        if not checkpoint.vocabulary.ends:
            print(f"{folder}: running text has no names; nothing to do")
            continue
        found = measure_held_out(checkpoint, find_corpus_of(checkpoint, options.data))
        replace_held_out(folder, found)
        if found is None:
            print(f"saved {folder}: no name was held out")
            continue
        seen = ", which it was fitted on" if found.seen else ""
        print(f"saved {folder}: {sum(found.names.values()):,} names of {found.split}{seen}")
    return 0

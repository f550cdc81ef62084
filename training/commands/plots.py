"""plots: a checkpoint's pictures, drawn anew."""

import argparse
from pathlib import Path
from typing import Any

from models.checkpoint import load_checkpoint, replace_plots
from training.plots import draw_plots
from training.sources import find_corpus_of


def add_parser(commands: Any, data: argparse.ArgumentParser) -> None:
    """Add the verb to the command line."""
    command = commands.add_parser(
        "plots", parents=[data], help="draw a checkpoint's pictures again; nothing else changes"
    )
    command.add_argument("checkpoint", type=Path, metavar="FOLDER", help="a checkpoint")
    command.set_defaults(run=_plots)


def _plots(options: argparse.Namespace) -> int:
    checkpoint = load_checkpoint(options.checkpoint)
    corpus = find_corpus_of(checkpoint, options.data)
    plots = draw_plots(checkpoint, corpus.items)
    replace_plots(options.checkpoint, plots)
    for name, svg in sorted(plots.items()):
        print(f"plots/{name}.svg  {len(svg):,} bytes")
    print(f"saved {options.checkpoint}")
    return 0

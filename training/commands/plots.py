"""plots: a checkpoint's pictures, drawn anew."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from models.checkpoint import Checkpoint, load_checkpoint, replace_plots
from training.corpus import CorpusError, read_corpus
from training.names import find_names, find_text
from training.plots import draw_plots
from training.text import read_text


def add_parser(commands: Any, data: argparse.ArgumentParser) -> None:
    """Add the verb to the command line."""
    command = commands.add_parser(
        "plots", parents=[data], help="draw a checkpoint's pictures again; nothing else changes"
    )
    command.add_argument("checkpoint", type=Path, metavar="FOLDER", help="a checkpoint")
    command.set_defaults(run=_plots)


def _plots(options: argparse.Namespace) -> int:
    checkpoint = load_checkpoint(options.checkpoint)
    plots = draw_plots(checkpoint, _items(checkpoint, options.data))
    replace_plots(options.checkpoint, plots)
    for name, svg in sorted(plots.items()):
        print(f"plots/{name}.svg  {len(svg):,} bytes")
    print(f"saved {options.checkpoint}")
    return 0


def _items(checkpoint: Checkpoint, data: Path | None) -> Sequence[str]:
    """The corpus that a checkpoint was fitted on.

    Raises:
        CorpusError: it cannot be read, or it is another one.
    """
    items: Sequence[str]
    if checkpoint.vocabulary.ends:
        names = read_corpus(find_names(data))
        items, sha256, file = names.lines, names.sha256, names.name
    else:
        text = read_text(find_text(data))
        items, sha256, file = [text.text], text.sha256, text.name
    fitted_on = checkpoint.metadata.corpus.get("sha256")
    if fitted_on not in (None, sha256):
        raise CorpusError(
            f"{file}: its sha256 is {sha256}; the checkpoint was fitted on "
            f"{checkpoint.metadata.corpus.get('name')} of sha256 {fitted_on}. "
            "Give that file with --data"
        )
    return items

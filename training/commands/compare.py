"""compare: the page of all models."""

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from training.commands.output import check_suffix, check_target, write_file
from training.compare import Entry, check_lecture, find_checkpoints, measure
from training.model_page import write_page
from training.plots import draw_nll_comparison
from training.sources import find_corpus

_PICTURE = "nll.svg"
_PICTURED = ("makemore", "clean")


def add_parser(commands: Any, data: argparse.ArgumentParser) -> None:
    """Add the verb to the command line."""
    command = commands.add_parser(
        "compare", parents=[data], help="a page of all models, with their NLLs and samples"
    )
    command.add_argument(
        "folders", nargs="+", type=Path, metavar="CHECKPOINTS", help="a folder of checkpoints"
    )
    command.add_argument(
        "--out",
        type=Path,
        metavar="FILE.md",
        help=f"where to write it, with {_PICTURE} beside it; printed if not given",
    )
    command.set_defaults(run=_compare)


def _compare(options: argparse.Namespace) -> int:
    picture = options.out and options.out.with_name(_PICTURE)
    if options.out:
        check_suffix("--out", options.out, ".md")
        check_target("--out", options.out)
        check_target("--out", picture)
    found = find_checkpoints(options.folders)
    corpus = find_corpus("lines", options.data)
    torch.set_num_threads(1)  # as it is served
    entries = [measure(folder, corpus) for folder in tqdm(found, unit="model", disable=None)]
    nlls = _test_nlls(entries, corpus.sha256)
    page = write_page(
        entries,
        check_lecture(corpus),
        corpus.sha256,
        _command(options),
        _PICTURE if picture and nlls else None,
    )
    if not options.out:
        print(page, end="")
        return 0
    if nlls:
        write_file(picture, draw_nll_comparison(nlls))
        print(f"saved {picture}")
    write_file(options.out, page.encode())
    print(f"saved {options.out}")
    return 0


def _test_nlls(entries: Sequence[Entry], sha256: str) -> dict[str, dict[str, float]]:
    """By model of these names and split, for the picture."""
    evaluations = {
        entry.id: entry.checkpoint.metadata.evaluation
        for entry in entries
        if entry.checkpoint.metadata.corpus.get("sha256") == sha256
    }
    nlls = {
        model: {
            split: found[split]["test"] for split in _PICTURED if "test" in found.get(split, {})
        }
        for model, found in evaluations.items()
    }
    return {model: by_split for model, by_split in nlls.items() if by_split}


def _command(options: argparse.Namespace) -> str:
    """What was asked for, as one would type it."""
    words = ["python", "-m", "training", "compare", *map(str, options.folders)]
    for name in ("data", "out"):
        if value := getattr(options, name):
            words += [f"--{name}", str(value)]
    return f"$ {shlex.join(words)}"

"""evaluate: exact NLLs of a checkpoint."""

import argparse
from pathlib import Path
from typing import Any

from models.checkpoint import load_checkpoint
from models.rows import longest_name
from training.commands.printing import print_evaluation
from training.corpus import SPLITS, CorpusError
from training.evaluate import evaluate_split
from training.sources import find_corpus


def add_parser(commands: Any, data: argparse.ArgumentParser) -> None:
    """Add the verb to the command line."""
    command = commands.add_parser("evaluate", parents=[data], help="exact NLLs of a checkpoint")
    command.add_argument("checkpoint", type=Path, metavar="FOLDER", help="a checkpoint")
    command.add_argument("--split", choices=SPLITS, help="the split it was fitted on if not given")
    command.set_defaults(run=_evaluate)


def _evaluate(options: argparse.Namespace) -> int:
    checkpoint = load_checkpoint(options.checkpoint)
    model, vocabulary = checkpoint.model, checkpoint.vocabulary
    corpus = find_corpus(checkpoint.kind, options.data)
    longest, limit = max(map(len, corpus.items)), longest_name(model, vocabulary)
    if vocabulary.ends and longest > limit:
        raise CorpusError(f"a line of {longest} characters; the model holds {limit}")
    fitted_on = checkpoint.metadata.training.get("fitted_on")
    split = options.split or (fitted_on if fitted_on in SPLITS else SPLITS[0])
    (parts,) = corpus.split([split])
    if parts.name != fitted_on:
        print(f"fitted on {fitted_on}: the held-out parts of {split} may hold training names")
    print_evaluation({parts.name: evaluate_split(model, vocabulary, parts)})
    return 0

"""The command line: python -m training fit | evaluate | explore."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from models.checkpoint import load_checkpoint
from models.errors import ConfigError, NamewrightError
from models.rows import longest_name
from training.bundle import bundle
from training.corpus import SPLITS, CorpusError, read_corpus, split_corpus
from training.evaluate import evaluate_split
from training.explore import explore
from training.names import find_names
from training.recipes import RECIPES


def main(arguments: list[str] | None = None) -> int:
    """Run a command; returns the exit status, 1 for an error that is reported in a line."""
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except (NamewrightError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training",
        description="Fit, evaluate and explore character-level language models.",
    )
    commands = parser.add_subparsers(required=True, metavar="command")
    data = argparse.ArgumentParser(add_help=False)
    data.add_argument(
        "--data",
        type=Path,
        metavar="FILE",
        help="one name a line, UTF-8; names.txt of NAMEWRIGHT_DATA or downloaded if not given",
    )

    command = commands.add_parser("fit", parents=[data], help="fit a recipe, save a checkpoint")
    command.add_argument(
        "--recipe", required=True, choices=sorted(RECIPES), help="what; see training/recipes.py"
    )
    command.add_argument(
        "--out",
        required=True,
        type=Path,
        metavar="FOLDER",
        help="the checkpoint, replaced if it is there; its name is the model's id",
    )
    command.add_argument(
        "--split",
        choices=[*SPLITS, "both"],
        default="clean",
        help="which training part; both fits twice and keeps the model of makemore's",
    )
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
    command.set_defaults(run=_fit)

    command = commands.add_parser("evaluate", parents=[data], help="exact NLLs of a checkpoint")
    command.add_argument("checkpoint", type=Path, metavar="FOLDER", help="a checkpoint")
    command.add_argument("--split", choices=SPLITS, help="the split it was fitted on if not given")
    command.set_defaults(run=_evaluate)

    command = commands.add_parser("explore", parents=[data], help="facts about a corpus")
    command.set_defaults(run=_explore)
    return parser


def _seed(text: str) -> int:
    seed = int(text)
    if not 0 <= seed < 2**32:
        raise argparse.ArgumentTypeError("allowed: 0 to 4294967295")
    return seed


def _fit(options: argparse.Namespace) -> None:
    if options.device == "cuda" and not torch.cuda.is_available():
        raise ConfigError("--device cuda: torch finds no CUDA device")

    def report(row: dict[str, Any]) -> None:
        tqdm.write(json.dumps(row), file=sys.stderr)

    evaluation = bundle(
        options.recipe,
        RECIPES[options.recipe](),
        read_corpus(find_names(options.data)),
        options.out,
        splits=SPLITS if options.split == "both" else [options.split],
        seed=options.seed,
        device=options.device,
        report=report,
    )
    _print_evaluation(evaluation)
    print(f"saved {options.out}")


def _evaluate(options: argparse.Namespace) -> None:
    checkpoint = load_checkpoint(options.checkpoint)
    corpus = read_corpus(find_names(options.data))
    longest, limit = max(map(len, corpus.lines)), longest_name(checkpoint.model)
    if longest > limit:
        raise CorpusError(f"a line of {longest} characters; the model holds {limit}")
    fitted_on = checkpoint.metadata.training.get("fitted_on")
    split = options.split or (fitted_on if fitted_on in SPLITS else SPLITS[0])
    if split != fitted_on:
        print(f"fitted on {fitted_on}: the held-out parts of {split} may hold training names")
    parts = split_corpus(corpus.lines, split)
    _print_evaluation({split: evaluate_split(checkpoint.model, checkpoint.vocabulary, parts)})


def _explore(options: argparse.Namespace) -> None:
    print(explore(read_corpus(find_names(options.data))))


def _print_evaluation(evaluation: dict[str, dict[str, float]]) -> None:
    print("NLL, nats per character")
    for split, parts in evaluation.items():
        figures = "  ".join(f"{part} {nll:.4f}" for part, nll in parts.items())
        print(f"  {split:<9} {figures}")


if __name__ == "__main__":
    sys.exit(main())

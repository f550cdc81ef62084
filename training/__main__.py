"""The command line: python -m training VERB; each verb is a file in commands/."""

import argparse
import sys
from pathlib import Path

from models.errors import NamewrightError
from training.commands import compare, evaluate, explore, fit, held_out, lr_find, plots, search

_VERBS = (fit, lr_find, search, evaluate, compare, explore, plots, held_out)


def main(arguments: list[str] | None = None) -> int:
    """Run a command; returns the exit status, 1 for an error that is reported in a line."""
    options = _parser().parse_args(arguments)
    try:
        status: int = options.run(options)
    except (NamewrightError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return status


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
        help="one name a line, UTF-8; names.txt of NAMEWRIGHT_DATA or downloaded if not given; "
        "running text for a recipe of text, korean.txt of NAMEWRIGHT_DATA if not given",
    )
    for verb in _VERBS:
        verb.add_parser(commands, data)
    return parser


if __name__ == "__main__":
    sys.exit(main())

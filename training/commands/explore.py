"""explore: facts about a corpus of names."""

import argparse
from typing import Any

from training.explore import explore
from training.sources import find_corpus


def add_parser(commands: Any, data: argparse.ArgumentParser) -> None:
    """Add the verb to the command line."""
    command = commands.add_parser("explore", parents=[data], help="facts about a corpus")
    command.set_defaults(run=_explore)


def _explore(options: argparse.Namespace) -> int:
    print(explore(find_corpus("lines", options.data)))
    return 0

"""What a checkpoint says of its training beside the weights: the curve, and the names."""

from itertools import pairwise
from typing import Any

from models.storage import parse_json
from models.vocabulary import Vocabulary


def read_metrics(data: bytes) -> tuple[dict[str, Any], ...]:
    """The training curve; ValueError unless it is a JSON object a line."""
    rows = tuple(parse_json(line) for line in data.splitlines())
    if not all(type(row) is dict for row in rows):
        raise ValueError("not a JSON object a line")
    return rows


def read_training_names(data: bytes, vocabulary: Vocabulary) -> frozenset[str]:
    """The training names; ValueError unless they are that model's, sorted, one a line.

    Running text has none.
    """
    *names, rest = data.decode().split("\n")
    if rest or "" in names or any(a >= b for a, b in pairwise(names)):
        raise ValueError("not distinct names, sorted, one a line")
    if names and not vocabulary.ends:
        raise ValueError("running text has no names")
    if odd := set("".join(names)) - set(vocabulary.characters):
        raise ValueError(f"U+{ord(min(odd)):04X} is not in the vocabulary")
    return frozenset(names)

"""Characters as a picture shows them, and which of an alphabet to show."""

import unicodedata
from collections import Counter
from collections.abc import Sequence

from models.vocabulary import BOUNDARY, Vocabulary

_SHOWN_AS = {" ": "␣", "\u00a0": "␣", "\u3000": "␣", "\n": "↵", "\t": "⇥"}
_VOWELS = frozenset("aeiou" + "αεηιουω" + "аеиоуыэюяіє")


def visible(character: str) -> str:
    """A character as something that can be seen on its own."""
    category = unicodedata.category(character)
    if character in _SHOWN_AS:
        return _SHOWN_AS[character]
    if category[0] == "M":
        return "◌" + character
    return "□" if category[0] in "CZ" else character


def symbol(token_id: int, vocabulary: Vocabulary) -> str:
    """An id as something that can be seen; the boundary is `.`, as in the lectures."""
    if token_id == BOUNDARY:
        return "." if "." not in vocabulary.characters else "¶"
    return visible(vocabulary.characters[token_id - 1])


def is_vowel(character: str) -> bool:
    """Whether it is a vowel of the Latin, Greek or Cyrillic alphabet, with any accent."""
    return unicodedata.normalize("NFD", character)[0].lower() in _VOWELS


def encode_items(items: Sequence[str], vocabulary: Vocabulary) -> list[list[int]]:
    """Ids of each item, with the boundaries around it where items end."""
    around = [BOUNDARY] if vocabulary.ends else []
    return [[*around, *vocabulary.encode(item), *around] for item in items]


def most_frequent(encoded: Sequence[Sequence[int]], limit: int) -> list[int]:
    """The `limit` most frequent ids, ascending; of equally frequent ones the smaller."""
    counts = Counter(token_id for item in encoded for token_id in item)
    chosen = sorted(counts, key=lambda token_id: (-counts[token_id], token_id))[:limit]
    return sorted(chosen)

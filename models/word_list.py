"""Words that a name must be free of, matched so that innocent names survive.

A list is text, an entry a line; what comes after a `#` is a comment. An entry is one word:

    word      a word of the name is exactly this
    word*     begins with it
    *word     ends with it
    *word*    has it anywhere
    !word     is never taken for one of the above; with the same stars

A name is split into words at spaces, hyphens, apostrophes and whatever else is neither letter,
mark nor digit; each word is looked at by itself. Words and entries are compared without case and
without the accents of Latin, Greek and Cyrillic letters, so that `Ñ` is `n` and `ß` is `ss`. The
signs of other scripts stay: there they are letters.

Deviation from the usual filters: nothing is matched within a word unless the entry says so, and
no letter stands for another. Names are short, and most short obscenities are part of innocent
ones: cassandra, dickson, analise, titus.

Cost: a look-up for whole words, and a search for each entry with a `*` in front and behind.
"""

import hashlib
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from models.errors import WordListError

_ACCENTS = re.compile("[\u0300-\u036f]")
_RULES = "namewright words 1"
"""Hashed along: another number for another way to match."""
_SPLIT = "CPSZ"
"""Categories of characters between words: controls, punctuation, symbols, separators."""


@dataclass(frozen=True, repr=False)
class WordList:
    """Entries, each in the form in which it is matched.

    Args:
        entries: as `parse` gives them.
    """

    entries: frozenset[str] = frozenset()

    def __repr__(self) -> str:
        """By its digest: a set has no order, and the entries are nothing to show."""
        return f"WordList({self.digest})"

    @classmethod
    def parse(cls, text: str, source: object = "list") -> "WordList":
        """The list that `text` is.

        Raises:
            WordListError: naming `source` and the line, an entry that is not one word.
        """
        # Not splitlines: a line is what an editor counts.
        lines = enumerate(text.split("\n"), start=1)
        stripped = ((number, line.partition("#")[0].strip()) for number, line in lines)
        return cls(frozenset(_entry(line, source, number) for number, line in stripped if line))

    @cached_property
    def digest(self) -> str:
        """16 hex digits: of lists that hold the same entries, in whatever order, the same."""
        content = "\n".join([_RULES, *sorted(self.entries)])
        return hashlib.sha256(content.encode()).hexdigest()[:16]

    def allows(self, name: str) -> bool:
        """Whether no word of a name is on the list."""
        words = [name] if name.isascii() and name.isalpha() and name.islower() else _words(name)
        return not any(self._listed.holds(word) and not self._spared.holds(word) for word in words)

    @cached_property
    def _listed(self) -> "_Words":
        return _Words(entry for entry in self.entries if not entry.startswith("!"))

    @cached_property
    def _spared(self) -> "_Words":
        return _Words(entry[1:] for entry in self.entries if entry.startswith("!"))


class _Words:
    """Entries without `!`, sorted by where their stars are."""

    def __init__(self, entries: Iterable[str]) -> None:
        found: dict[tuple[bool, bool], list[str]] = {}
        for entry in sorted(entries):
            open_ends = entry.startswith("*"), entry.endswith("*")
            found.setdefault(open_ends, []).append(entry.strip("*"))
        self._whole = frozenset(found.get((False, False), ()))
        self._first = tuple(found.get((False, True), ()))
        self._last = tuple(found.get((True, False), ()))
        self._inner = tuple(found.get((True, True), ()))

    def holds(self, word: str) -> bool:
        return (
            word in self._whole
            or word.startswith(self._first)
            or word.endswith(self._last)
            or any(inner in word for inner in self._inner)
        )


def _entry(line: str, source: object, number: int) -> str:
    """An entry in the form in which it is matched."""
    spared, bare = line.startswith("!"), line.removeprefix("!").strip()
    first, last = bare.startswith("*"), bare.endswith("*") and bare != "*"
    word = bare[first : len(bare) - last]
    if "*" in word or _words(word) != [_folded(word)]:
        raise WordListError(
            source,
            number,
            "is not one word; allowed: letters and digits, a `*` in front, behind or both, "
            "and a `!` before that",
        )
    return "!" * spared + "*" * first + _folded(word) + "*" * last


def _words(name: str) -> list[str]:
    """The words of a name, as entries have them."""
    folded = _folded(name)
    return "".join(
        " " if unicodedata.category(character)[0] in _SPLIT else character for character in folded
    ).split()


def _folded(text: str) -> str:
    """Without case, compatibility forms and accents, in NFC."""
    # What is casefolded need not be decomposed any more.
    decomposed = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    return unicodedata.normalize("NFC", _ACCENTS.sub("", decomposed))

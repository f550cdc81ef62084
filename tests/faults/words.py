"""Words as callers may send them: every general category of Unicode, and what lies between.

`DRAWS` has a maker a kind of word; each takes the dice and gives one. Most words are short and
not the models'; some are, so that some are scored.
"""

import random
import sys
import unicodedata
from collections import defaultdict
from collections.abc import Callable

Draw = Callable[[random.Random], str]

LATIN = "abcdefghijklmnopqrstuvwxyz"
LENGTHS = (0, 1, 2, 62, 63, 64, 65, 66, 127, 128, 129, 255, 256, 257, 1000, 1001, 4001)
"""Of words: around the limits of names, texts, keys and stops, and far above."""
BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
JOINERS = "\u200b\u200c\u200d\u2060\ufe0e\ufe0f\U0001f3fb\U000e0067\U000e007f"
NONCHARACTERS = [
    *range(0xFDD0, 0xFDF0),
    *(p << 16 | e for p in range(17) for e in (0xFFFE, 0xFFFF)),
]


def _categories() -> dict[str, list[int]]:
    found: dict[str, list[int]] = defaultdict(list)
    for code in range(sys.maxunicode + 1):
        found[unicodedata.category(chr(code))].append(code)
    return dict(found)


CATEGORIES = _categories()
"""Every code point by its general category; all 30 of them."""
WITHOUT_SURROGATES = sorted(CATEGORIES.keys() - {"Cs"})
COMPOSED = [
    chr(code)
    for category in ("Ll", "Lu", "Lo", "Sm")
    for code in CATEGORIES[category]
    if len(unicodedata.normalize("NFD", chr(code))) > 1
    and unicodedata.normalize("NFC", chr(code)) == chr(code)
]
"""Characters that have another spelling: NFC takes it back."""


def _short(dice: random.Random) -> int:
    return dice.choices((0, 1, 2, dice.randint(3, 12), dice.randint(13, 70)), (1, 20, 20, 50, 9))[0]


def _many(dice: random.Random, characters: str, length: int) -> str:
    return "".join(dice.choices(characters, k=length))


def of_one_category(dice: random.Random) -> str:
    """Characters of one category."""
    codes = CATEGORIES[dice.choice(WITHOUT_SURROGATES)]
    return "".join(map(chr, dice.choices(codes, k=_short(dice))))


def of_all_categories(dice: random.Random) -> str:
    """Each character of some category."""
    return "".join(
        chr(dice.choice(CATEGORIES[dice.choice(WITHOUT_SURROGATES)])) for _ in range(_short(dice))
    )


def latin(dice: random.Random) -> str:
    """What the models of names can score, for the most part."""
    return _many(dice, LATIN, _short(dice))


def nearly_latin(dice: random.Random) -> str:
    """That with one strange character."""
    word = latin(dice)
    at = dice.randint(0, len(word))
    return word[:at] + of_one_category(dice)[:1] + word[at:]


def combining(dice: random.Random) -> str:
    """Marks upon marks, in any order."""
    marks = "".join(map(chr, dice.choices(CATEGORIES[dice.choice(("Mn", "Mc", "Me"))], k=30)))
    return dice.choice(("", "a", "é", "가", " ")) + marks[: dice.randint(1, 30)]


def bidirectional(dice: random.Random) -> str:
    """Controls of direction among letters of both."""
    return _many(dice, BIDI + "ab\u05d0\u0627", max(1, _short(dice)))


def joined(dice: random.Random) -> str:
    """Joiners, selectors and tags between emoji and letters."""
    return _many(dice, JOINERS + "\U0001f468\U0001f469\U0001f467\u2764\u0915\u094d\U0001f3f4a", 9)


def noncharacters(dice: random.Random) -> str:
    """What Unicode never assigns."""
    return latin(dice)[:3] + chr(dice.choice(NONCHARACTERS)) * dice.randint(1, 3)


def composed(dice: random.Random) -> str:
    """Characters that have two spellings, in NFC, with letters between."""
    return unicodedata.normalize("NFC", _many(dice, dice.choice(COMPOSED) + LATIN, 4)) + (
        dice.choice(COMPOSED)
    )


def hangul(dice: random.Random) -> str:
    """Syllables, which decompose; a model of Korean text knows some."""
    return _many(dice, "가나다라마바사아자차카타파하한국말 은는이를에서고", dice.randint(1, 20))


def around_limits(dice: random.Random) -> str:
    """One character, as often as a limit says, or once more or less."""
    return dice.choice((*"aé가\u0301\U0001f600", "\x00", " ")) * dice.choice(LENGTHS)


def surrogates(dice: random.Random) -> str:
    """A lone surrogate, or two in the wrong order, among letters."""
    lone = chr(dice.choice(CATEGORIES["Cs"]))
    return latin(dice)[:5] + dice.choice((lone, "\udc00\ud800", lone * 2)) + latin(dice)[:5]


DRAWS: dict[Draw, float] = {
    of_one_category: 30,
    of_all_categories: 15,
    latin: 15,
    nearly_latin: 8,
    combining: 6,
    bidirectional: 4,
    joined: 4,
    noncharacters: 4,
    composed: 6,
    hangul: 6,
    around_limits: 0.5,
}
"""How often each; surrogates are no text, and refuse whatever they come with: by themselves."""


def draw(dice: random.Random) -> str:
    """A word of any kind that is text."""
    return dice.choices(list(DRAWS), list(DRAWS.values()))[0](dice)

"""The alphabet of a model: Unicode code points after NFC, and one boundary.

Id 0 is the boundary, start and end of a name at once (the `.` of the
lectures); the characters follow, sorted by code point, from 1. The boundary
is no character, so a corpus may hold full stops.

Running text has no ends: there the boundary is only the first thing a model
reads, for "somewhere in the text, nothing known before", and never predicted.
"""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from models.errors import ConfigError, UnknownCharacterError

BOUNDARY = 0


def normalize(text: str) -> str:
    """`text` in Unicode Normalization Form C: one spelling for what looks the same."""
    return unicodedata.normalize("NFC", text)


def normalized_length(text: str, limit: int) -> int:
    """Code points of `text` in NFC, or its length as it is where that must exceed `limit`."""
    # NFC makes one code point of at most four, and takes seconds for a hundred thousand
    # combining marks.
    return len(text) if len(text) > 4 * limit else len(normalize(text))


@dataclass(frozen=True)
class Vocabulary:
    """An ordered alphabet and its ids.

    Args:
        characters: single code points, strictly ascending, each its own NFC form.
        ends: whether items end, so that the boundary can be predicted; False for
            running text, where a newline is a character like any other.

    Raises:
        ConfigError: the characters are not that, or there are none.
    """

    characters: tuple[str, ...]
    ends: bool = True
    _ids: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.characters:
            raise ConfigError("a vocabulary needs at least one character")
        for character in self.characters:
            if not isinstance(character, str) or len(character) != 1:
                raise ConfigError("a vocabulary holds single code points")
            if 0xD800 <= ord(character) <= 0xDFFF or normalize(character) != character:
                raise ConfigError(f"U+{ord(character):04X} cannot stand in NFC text")
        if any(a >= b for a, b in zip(self.characters, self.characters[1:], strict=False)):
            raise ConfigError("a vocabulary's characters ascend without repeats")
        ids = {character: i for i, character in enumerate(self.characters, start=1)}
        object.__setattr__(self, "_ids", ids)

    @classmethod
    def of(cls, texts: Iterable[str], ends: bool = True) -> "Vocabulary":
        """The alphabet of `texts`, which are normalised to NFC first; `ends` as above.

        Raises:
            ConfigError: there is no character in them.
        """
        return cls(tuple(sorted(set().union(*map(normalize, texts)))), ends)

    def __len__(self) -> int:
        """V: the characters and the boundary."""
        return len(self.characters) + 1

    def encode(self, text: str, parameter: str = "text") -> list[int]:
        """The ids of `text`, normalised to NFC, without boundaries.

        Raises:
            UnknownCharacterError: naming `parameter`, the character and its position.
        """
        text = normalize(text)
        try:
            return [self._ids[character] for character in text]
        except KeyError:
            position = next(i for i, character in enumerate(text) if character not in self._ids)
            raise UnknownCharacterError(
                parameter, text[position], position, self.describe()
            ) from None

    def decode(self, token_ids: Sequence[int]) -> str:
        """The text of `token_ids`, each from 1 to V - 1."""
        return "".join(self.characters[i - 1] for i in token_ids)

    def describe(self) -> str:
        """The alphabet in a few words, for an error message."""
        shown = "".join(
            repr(character)[1:-1] if unicodedata.category(character) == "Cc" else character
            for character in self.characters[:64]
        )
        rest = len(self.characters) - 64
        return f"{shown} and {rest} more" if rest > 0 else shown

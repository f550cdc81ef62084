"""What a name must be like: a draw that is not is no name, and is passed over.

The names that remain are distributed as the model conditioned on all of it, which no masking
of single characters gives. What every name must begin with is forced instead, which is as
exact and wastes no draw: a prefix, and a pattern up to its first wildcard.
"""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import NamedTuple

from models.errors import ParameterError, UnknownCharacterError
from models.vocabulary import Vocabulary, normalize, normalized_length
from models.word_list import WordList

NOT_FOR_TEXT = "has no meaning for running text"
MAX_EXCLUDED = 100
"""Strings that a request can exclude."""

ONE, RUN = "?", "*"
"""Of a pattern: any one character; any run of them, also none."""


@dataclass(frozen=True)
class Conditions:
    """Attributes: the empty string, or False, where anything will do.

    suffix: what the name ends with.
    contains: what is somewhere in it.
    pattern: what all of it is like: `?` is any one character, `*` any run of them, also none.
    exclude: what is nowhere in it: strings, separated by commas.
    novel: whether it must not be a name that the model was fitted on.
    unsafe: words that it must be free of; None where any will do.
    """

    suffix: str = ""
    contains: str = ""
    pattern: str = ""
    exclude: str = ""
    novel: bool = False
    unsafe: WordList | None = None


class Demands(NamedTuple):
    """What an automaton can tell of some conditions, in NFC: all but `novel`.

    As in Conditions; `excluded` are the parts of `exclude`.
    """

    suffix: str
    contains: str
    pattern: str
    excluded: tuple[str, ...]


class Filter:
    """Tells which names meet some conditions.

    Args:
        conditions: to be met.
        prefix: of every name, in NFC.
        lengths: (fewest, most) characters of a name.
        vocabulary: of the model.
        training_names: that the model was fitted on.

    Attributes:
        head: what every name begins with: the prefix, or more.

    Raises:
        ParameterError: a condition is not well-formed, has no meaning for running text, or
            no name of these lengths could meet it beside the others.
    """

    def __init__(
        self,
        conditions: Conditions,
        prefix: str,
        lengths: tuple[int, int],
        vocabulary: Vocabulary,
        training_names: AbstractSet[str],
    ) -> None:
        for parameter, asked in (("novel", conditions.novel), ("safe", conditions.unsafe)):
            if asked and not vocabulary.ends:
                raise ParameterError(parameter, NOT_FOR_TEXT)
        self._suffix = _known(conditions.suffix, "suffix", lengths[1], vocabulary)
        self._contains = _known(conditions.contains, "contains", lengths[1], vocabulary)
        self._pattern = _checked_pattern(conditions.pattern, lengths, vocabulary)
        self._excluded = _parse_excluded(conditions.exclude, lengths[1])
        self._known_names = training_names if conditions.novel else frozenset[str]()
        self._unsafe = conditions.unsafe
        self.head = self._joined_head(prefix)
        self._check_excluded()

    def allows(self, name: str) -> bool:
        """Whether a name that begins with `head` meets the conditions."""
        return (
            name.endswith(self._suffix)
            and self._contains in name
            and not any(each in name for each in self._excluded)
            and (not self._pattern or matches(self._pattern, name))
            and name not in self._known_names
            and (self._unsafe is None or self._unsafe.allows(name))
        )

    @property
    def demands(self) -> Demands:
        """What an automaton can tell of the conditions."""
        return Demands(self._suffix, self._contains, self._pattern, self._excluded)

    def _joined_head(self, prefix: str) -> str:
        literal = self._pattern.partition(RUN)[0].partition(ONE)[0]
        shorter, longer = sorted((literal, prefix), key=len)
        if not longer.startswith(shorter):
            raise ParameterError("pattern", "does not begin like prefix; no name could do both")
        return longer

    def _check_excluded(self) -> None:
        for parameter, text in (
            ("prefix or pattern", self.head),
            ("suffix", self._suffix),
            ("contains", self._contains),
        ):
            if any(each in text for each in self._excluded):
                raise ParameterError("exclude", f"rules out what {parameter} demands")


def matches(pattern: str, text: str) -> bool:
    """Whether all of `text` is like `pattern`; in at most len(pattern) * len(text) steps.

    Where a literal fails, the last `*` takes a character more: an earlier one never has to.
    """
    at = read = 0
    run, resumed = -1, 0  # the last `*`, and where in the text what comes after it is tried
    while read < len(text):
        if at < len(pattern) and pattern[at] == RUN:
            run, resumed, at = at, read, at + 1
        elif at < len(pattern) and pattern[at] in (ONE, text[read]):
            at, read = at + 1, read + 1
        elif run >= 0:
            resumed += 1
            at, read = run + 1, resumed
        else:
            return False
    return not pattern[at:].strip(RUN)


def _known(text: str, parameter: str, most: int, vocabulary: Vocabulary) -> str:
    """`text` in NFC.

    Raises:
        ParameterError: it is longer than a name, or of other characters.
    """
    if (length := normalized_length(text, most)) > most:
        raise ParameterError(parameter, f"has {length} characters; allowed: 0 to {most}")
    vocabulary.encode(text, parameter)
    return normalize(text)


def _checked_pattern(text: str, lengths: tuple[int, int], vocabulary: Vocabulary) -> str:
    """`text` in NFC.

    Raises:
        ParameterError: it has characters that no name has, or is longer than any, or too short.
    """
    fewest, most = lengths
    longest = 2 * most + 1  # with a `*` on either side of every character
    if normalized_length(text, longest) > longest:
        raise ParameterError("pattern", f"is too long; allowed: 0 to {longest} characters")
    pattern = normalize(text)
    for position, character in enumerate(pattern):
        if character not in (ONE, RUN) and character not in vocabulary.characters:
            raise UnknownCharacterError("pattern", character, position, vocabulary.describe())
    least = len(pattern) - pattern.count(RUN)
    if least > most:
        raise ParameterError(
            "pattern", f"needs {least} characters at least; allowed: 0 to {most} (max_length)"
        )
    if pattern and RUN not in pattern and least < fewest:
        raise ParameterError(
            "pattern", f"has {least} characters; allowed: {fewest} (min_length) to {most}"
        )
    return pattern


def _parse_excluded(text: str, most: int) -> tuple[str, ...]:
    """The strings of a list, in NFC.

    Raises:
        ParameterError: one is empty or longer than a name, or they are too many.
    """
    if not text:
        return ()
    parts = text.split(",", MAX_EXCLUDED)
    if len(parts) > MAX_EXCLUDED:
        raise ParameterError("exclude", f"has too many parts; allowed: 1 to {MAX_EXCLUDED}")
    for part in parts:
        if not 1 <= normalized_length(part, most) <= most:
            raise ParameterError(
                "exclude", f"has a part that is empty or too long; allowed: 1 to {most} characters"
            )
    return tuple(map(normalize, parts))

"""Words to be scored, their bookkeeping while they are, and their scores.

The NLL of a name is the sum over its characters and its end of -ln P(character |
the ones before), in nats; per character it is divided by length + 1, since the
end is predicted too (the lectures' convention). Running text has no end: there
it is the characters alone, and their number.

A log-probability is evaluated in float64 and rounded to float32 once, as the prefix tree
keeps it: so a score has one value, whichever way it was come by. Sums are float64.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from models.base import LanguageModel
from models.errors import ParameterError
from models.rows import longest_name
from models.vocabulary import BOUNDARY, Vocabulary, normalize, normalized_length

LIKELIEST = 5
"""How many alternatives a scoring is told, if it wants them."""


@dataclass(frozen=True)
class Score:
    """A scored name.

    Attributes:
        word: as scored, in NFC.
        nlls: -ln of the probability of each of its characters and of its end, or of the
            characters of running text; nats, infinite where the probability is 0.
        ranks: of the same: 1 for the likeliest character there; those that tie share the
            better rank.
    """

    word: str
    nlls: tuple[float, ...]
    ranks: tuple[int, ...]

    @property
    def characters(self) -> tuple[str, ...]:
        """What was predicted; "" is the end of a name."""
        return (*self.word, "")[: len(self.nlls)]

    @property
    def probabilities(self) -> tuple[float, ...]:
        """Of each character where it stands, 0 to 1."""
        return tuple(math.exp(-nll) for nll in self.nlls)

    @property
    def nll(self) -> float:
        """Of the whole name and its end, or of running text; nats."""
        # As generation adds them, for the same bits; sum() rounds otherwise since Python 3.12.
        total = 0.0
        for nll in self.nlls:
            total += nll
        return total

    @property
    def nll_per_char(self) -> float:
        """Nats per predicted character, the end of a name included."""
        return self.nll / len(self.nlls)


def encode_word(
    model: LanguageModel, vocabulary: Vocabulary, word: str, parameter: str, shortest: int = 1
) -> list[int]:
    """The ids of a word that the model can read, without boundaries.

    Args:
        model: only asked for its longest name.
        vocabulary: the model's.
        word: `shortest` to `longest_name(model, vocabulary)` characters of the alphabet.
        parameter: what an error calls it.
        shortest: 0 where it may be empty.

    Raises:
        ParameterError: naming `parameter`: the word is too short or too long, or a
            character is not in the alphabet.
    """
    limit = longest_name(model, vocabulary)
    length = normalized_length(word, limit)
    if not shortest <= length <= limit:
        raise ParameterError(parameter, f"has {length} characters; allowed: {shortest} to {limit}")
    return vocabulary.encode(word, parameter)


class Scoring:
    """A request for scores on its way.

    Args:
        model: only asked for its longest name.
        vocabulary: the model's.
        words: each 1 to `longest_name(model, vocabulary)` characters of the alphabet.
        parameter: what an error calls the list.
        lenient: whether words at fault are left out, not raised.

    Attributes:
        wants_likeliest: whether it is told what was likeliest in place of each character.
        faults: what is wrong with the words that were left out, by their place in the list.

    Raises:
        ParameterError: naming `parameter[i]`, the first word at fault.
    """

    wants_likeliest: ClassVar[bool] = False

    def __init__(
        self,
        model: LanguageModel,
        vocabulary: Vocabulary,
        words: Sequence[str],
        parameter: str = "words",
        *,
        lenient: bool = False,
    ) -> None:
        end = [BOUNDARY] * vocabulary.ends
        self.faults: dict[int, ParameterError] = {}
        self._predicted: list[list[int]] = []
        self._words: list[str] = []
        for i, word in enumerate(words):
            try:
                token_ids = encode_word(model, vocabulary, word, f"{parameter}[{i}]")
            except ParameterError as error:
                if not lenient:
                    raise
                self.faults[i] = error.with_traceback(None)  # which would hold this
                continue
            self._predicted.append(token_ids + end)
            self._words.append(normalize(word))
        self._scores: dict[int, Score] = {}
        self._admitted = 0

    @property
    def wanted(self) -> int:
        """How many words are still to be admitted."""
        return len(self._words) - self._admitted

    @property
    def done(self) -> bool:
        """Whether every word has its score."""
        return len(self._scores) == len(self._words)

    def admit(self, count: int) -> tuple[int, list[list[int]]]:
        """Take the next words: the place of the first, and of each the ids to be predicted.

        The end of a name is the last of its ids.
        """
        first = self._admitted
        self._admitted += count
        return first, self._predicted[first : self._admitted]

    def note_likeliest(
        self,
        indexes: NDArray[np.int64],
        positions: NDArray[np.int64],
        token_ids: NDArray[np.int64],
        log_probs: NDArray[np.float32],
    ) -> None:
        """Hand in what was likeliest at (B,) positions of the words at (B,) places.

        Args:
            indexes: the places.
            positions: counted from 0.
            token_ids: (B, LIKELIEST) by falling probability, the lower id first where they tie.
            log_probs: of the same; those after the last possible one are -inf.
        """

    def finish(self, index: int, nlls: Sequence[float], ranks: Sequence[int]) -> None:
        """Hand in the predictions of the word at a place."""
        self._scores[index] = Score(self._words[index], tuple(nlls), tuple(ranks))

    def result(self) -> list[Score]:
        """The scores in the order of the words, without those left out, once `done`."""
        return [self._scores[index] for index in range(len(self._words))]

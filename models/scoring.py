"""How surprised a model is by a name: exact negative log-likelihoods.

The NLL of a name is the sum over its characters and its end of -ln P(character |
the ones before), in nats; per character it is divided by length + 1, since the
end is predicted too (the lectures' convention). Running text has no end: there
it is the characters alone, and their number.
"""

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass

import numpy as np

from models.base import LanguageModel
from models.errors import ParameterError
from models.rows import ROWS, Rows, boundaries, longest_name
from models.sampling import Array
from models.vocabulary import BOUNDARY, Vocabulary, normalized_length


@dataclass(frozen=True)
class CharacterScore:
    """One prediction.

    Attributes:
        character: what came; "" is the end of a name.
        nll: -ln of its probability, nats; infinite where that is 0.
        rank: 1 for the likeliest character; those that tie share the better rank.
    """

    character: str
    nll: float
    rank: int

    @property
    def probability(self) -> float:
        """Of this character here, 0 to 1."""
        return math.exp(-self.nll)


@dataclass(frozen=True)
class Score:
    """A scored name.

    Attributes:
        word: as scored, in NFC.
        characters: its predictions in order, the end of a name last.
    """

    word: str
    characters: tuple[CharacterScore, ...]

    @property
    def nll(self) -> float:
        """Of the whole name and its end, or of running text; nats."""
        # As generation adds them, for the same bits; sum() rounds otherwise since Python 3.12.
        total = 0.0
        for character in self.characters:
            total += character.nll
        return total

    @property
    def nll_per_char(self) -> float:
        """Nats per predicted character, the end of a name included."""
        return self.nll / len(self.characters)


def encode_word(
    model: LanguageModel, vocabulary: Vocabulary, word: str, parameter: str
) -> list[int]:
    """The ids of a word that the model can score, without boundaries.

    Raises:
        ParameterError: naming `parameter`: the word is empty or too long, or a
            character is not in the alphabet.
    """
    limit = longest_name(model, vocabulary)
    length = normalized_length(word, limit)
    if not 1 <= length <= limit:
        raise ParameterError(parameter, f"has {length} characters; allowed: 1 to {limit}")
    return vocabulary.encode(word, parameter)


def score(
    model: LanguageModel, vocabulary: Vocabulary, words: Sequence[str], parameter: str = "words"
) -> list[Score]:
    """Score some words.

    Args:
        model: in eval mode, float64.
        vocabulary: the model's.
        words: each 1 to `longest_name(model, vocabulary)` characters of the alphabet.
        parameter: what an error calls the list.

    Returns:
        A score a word, in order; the same bits whatever else is in the list.

    Raises:
        ParameterError: naming `parameter[i]`, the first word at fault.
    """
    passes = score_by_passes(model, vocabulary, words, parameter)
    while True:
        try:
            next(passes)
        except StopIteration as finished:
            result: list[Score] = finished.value
            return result


def score_by_passes(
    model: LanguageModel, vocabulary: Vocabulary, words: Sequence[str], parameter: str = "words"
) -> Generator[None, None, list[Score]]:
    """`score`, yielding after each pass through the model, so that others can have a turn.

    The words are checked at the call, before the first pass.
    """
    encoded = [
        encode_word(model, vocabulary, word, f"{parameter}[{i}]") for i, word in enumerate(words)
    ]
    return _score_encoded(model, vocabulary, encoded)


def _score_encoded(
    model: LanguageModel, vocabulary: Vocabulary, words: Sequence[Sequence[int]]
) -> Generator[None, None, list[Score]]:
    rows = Rows(model, vocabulary)
    scores: list[Score] = []
    for start in range(0, len(words), ROWS):
        scores += yield from _score_chunk(rows, vocabulary, words[start : start + ROWS])
    return scores


def _score_chunk(
    rows: Rows, vocabulary: Vocabulary, words: Sequence[Sequence[int]]
) -> Generator[None, None, list[Score]]:
    """Score at most ROWS words side by side."""
    rows.restart(np.arange(ROWS))
    end = [BOUNDARY] if vocabulary.ends else []
    predicted = [[*word, *end] for word in words]
    found: list[list[CharacterScore]] = [[] for _ in words]
    inputs = boundaries()
    for t in range(max(map(len, predicted))):
        log_probs = rows.advance(inputs)
        for row, token_ids in enumerate(predicted):
            if t >= len(token_ids):
                continue
            character = vocabulary.decode(words[row][t : t + 1])  # "" at the end
            found[row].append(_character_score(character, log_probs[row], token_ids[t]))
            inputs[row] = token_ids[t]
        yield
    return [
        Score(vocabulary.decode(word), tuple(characters))
        for word, characters in zip(words, found, strict=True)
    ]


def _character_score(character: str, log_probs: Array, token_id: int) -> CharacterScore:
    log_prob = log_probs[token_id]
    rank = 1 + int((log_probs > log_prob).sum())
    return CharacterScore(character, max(0.0, -float(log_prob)), rank)

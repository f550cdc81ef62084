"""Known answers: the NLLs of some words, proof that this code reads these weights rightly.

Every character of the alphabet is in one of them, since one that was taken for another would
show nowhere else: the weights of both fit, and hardly any name holds it.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from models.base import LanguageModel
from models.rows import longest_name
from models.scoring import score
from models.vocabulary import Vocabulary, normalize

REFERENCE_TOLERANCE = 1e-6
"""Nats a character by which a known answer may differ: above rounding, far below damage."""

_FIRST = 64
_TOGETHER = 32
"""Characters in a word that is made for them, at most: one that is another shows in its NLL."""
_DIGITS = 9
"""After the point, far more than the tolerance."""


def known_answers(
    model: LanguageModel, vocabulary: Vocabulary, words: Iterable[str]
) -> dict[str, float]:
    """The NLLs of `words`, and of words made of the characters that none of them holds.

    Raises:
        ParameterError: one of `words` is not one that the model can score.
        ValueError: there are none.
    """
    given = list(dict.fromkeys(words))
    if not given:
        raise ValueError("at least one word is needed for known answers")
    held = set("".join(map(normalize, given)))
    rest = [character for character in vocabulary.characters if character not in held]
    together = _words_of(rest, min(_TOGETHER, longest_name(model, vocabulary)))
    answers = _nlls(model, vocabulary, given + together)
    # What a model holds impossible has no answer that JSON could hold.
    apart = [character for word in together if math.isinf(answers[word]) for character in word]
    answers |= _nlls(model, vocabulary, apart) if apart else {}
    return {word: nll for word, nll in answers.items() if word in given or math.isfinite(nll)}


def _nlls(model: LanguageModel, vocabulary: Vocabulary, words: list[str]) -> dict[str, float]:
    scores = score(model, vocabulary, words)
    return {word: round(found.nll, _DIGITS) for word, found in zip(words, scores, strict=True)}


def _words_of(characters: Sequence[str], size: int) -> list[str]:
    """Words of `size` characters; such as would be others side by side stand alone."""
    words = ["".join(characters[i : i + size]) for i in range(0, len(characters), size)]
    return [part for word in words for part in ([word] if normalize(word) == word else word)]


def read_answers(reference: Any, vocabulary: Vocabulary) -> dict[str, float]:
    """Known answers from JSON, as far as they can be checked without the model.

    Raises:
        UnknownCharacterError: a word holds a character that is not in the vocabulary.
        ValueError: it is no table of known answers, or an empty one.
    """
    sound = type(reference) is dict and all(type(nll) is float for nll in reference.values())
    if not reference or not sound:
        raise ValueError("not a table of known answers")
    for word in reference:
        vocabulary.encode(word, "reference")
    answers: dict[str, float] = reference
    return answers


def check_answers(
    model: LanguageModel, vocabulary: Vocabulary, reference: Mapping[str, float]
) -> None:
    """Compute known answers again; ValueError or a ParameterError where they are others."""
    # What is wrong at the first need not go on. Those of a length are read side by side.
    words = sorted(reference, key=len, reverse=True)
    for part in filter(None, (words[:_FIRST], words[_FIRST:])):
        scores = score(model, vocabulary, part, parameter="reference")
        for word, found in zip(part, scores, strict=True):
            nll, tolerance = reference[word], REFERENCE_TOLERANCE * len(found.nlls)
            if not math.isclose(found.nll, nll, rel_tol=0, abs_tol=tolerance):
                raise ValueError(f"the NLL of {word!r} is {found.nll}, recorded was {nll}")

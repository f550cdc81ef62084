"""Known answers: the NLLs of some words, proof that this code reads these weights rightly.

Every character of the alphabet is in one of them, since one that was taken for another would
show nowhere else: the weights of both fit, and hardly any name holds it.
"""

import math
from collections.abc import Iterable, Mapping

from models.base import LanguageModel
from models.scoring import score
from models.vocabulary import Vocabulary, normalize

REFERENCE_TOLERANCE = 1e-6
"""Nats a character by which a known answer may differ: above rounding, far below damage."""


def known_answers(
    model: LanguageModel, vocabulary: Vocabulary, words: Iterable[str]
) -> dict[str, float]:
    """The NLLs of `words`, and of each character that none of them holds as a word of its own.

    Raises:
        ParameterError: one of `words` is not one that the model can score.
        ValueError: there are none.
    """
    given = list(dict.fromkeys(words))
    if not given:
        raise ValueError("at least one word is needed for known answers")
    held = set("".join(map(normalize, given)))
    every = given + [character for character in vocabulary.characters if character not in held]
    scores = score(model, vocabulary, every)
    answers = {word: found.nll for word, found in zip(every, scores, strict=True)}
    # What a model holds impossible has no answer that JSON could hold.
    return {word: nll for word, nll in answers.items() if word in given or math.isfinite(nll)}


def check_answers(
    model: LanguageModel, vocabulary: Vocabulary, reference: Mapping[str, float]
) -> None:
    """Compute known answers again; ValueError or a ParameterError where they are others."""
    if not reference or not all(type(nll) is float for nll in reference.values()):
        raise ValueError("not a table of known answers")
    scores = score(model, vocabulary, list(reference), parameter="reference")
    for found, (word, nll) in zip(scores, reference.items(), strict=True):
        tolerance = REFERENCE_TOLERANCE * len(found.nlls)
        if not math.isclose(found.nll, nll, rel_tol=0, abs_tol=tolerance):
            raise ValueError(f"the NLL of {word!r} is {found.nll}, recorded was {nll}")

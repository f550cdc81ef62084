"""A prompt continued as it is drawn, and what the model thought of each token of it.

A token is a character, or the end of a name. At most `max_tokens` are drawn after a
prompt: a name ends by itself or is cut there; running text is always cut.

Nothing is passed over, so choice i is index i of the stream, cut: the name that
/generate gives at that index if it has ended, else its beginning.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from models.base import LanguageModel
from models.request import GenerationRequest, Job
from models.rows import longest_name
from models.score import LIKELIEST, Scoring
from models.vocabulary import BOUNDARY, Vocabulary


def room_after(model: LanguageModel, vocabulary: Vocabulary, prompt: Sequence[int]) -> int:
    """The most tokens that can be drawn after a prompt: one more than characters if they end."""
    return longest_name(model, vocabulary) + vocabulary.ends - len(prompt)


class CompletionJob(Job):
    """The next choices of a prompt on their way; each name is the prompt and what was drawn.

    One that has ended has fewer than `max_tokens` characters after the prompt.

    Args:
        request: the stream, how many, from which index on, and how to draw; its prefix,
            lengths and scores are of no meaning.
        prompt: ids of the alphabet, at most as many as the model can hold.
        max_tokens: drawn after the prompt at most, 1 to `room_after`.
        model: only asked for its longest name.
        vocabulary: the model's.

    Raises:
        ParameterError: the seed, n or offset is out of range.
    """

    as_drawn = True

    def __init__(
        self,
        request: GenerationRequest,
        prompt: Sequence[int],
        max_tokens: int,
        model: LanguageModel,
        vocabulary: Vocabulary,
    ) -> None:
        plain = replace(request, prefix="", min_length=1, max_length=None, scores=False)
        super().__init__(plain, model, vocabulary)
        self.prefix = list(prompt)
        # A name has one draw more than characters, for its end.
        self.max_length = len(self.prefix) + max_tokens - vocabulary.ends


class Reading(Scoring):
    """Sequences of tokens to be predicted, and the likeliest alternatives of each token.

    Args:
        model: only asked for its longest name.
        vocabulary: the model's.
        sequences: of ids, each 1 to `room_after` the empty prompt; the boundary only as
            the last, for the end of a name.

    Attributes:
        likeliest: once `done`: of each sequence (T, LIKELIEST) ids by falling probability,
            the lower first where they tie, and their log-probabilities in nats, float32;
            -inf where fewer are possible.
    """

    wants_likeliest = True

    def __init__(
        self, model: LanguageModel, vocabulary: Vocabulary, sequences: Sequence[list[int]]
    ) -> None:
        super().__init__(model, vocabulary, [])
        self._predicted = list(sequences)
        self._words = [
            vocabulary.decode([i for i in sequence if i != BOUNDARY]) for sequence in sequences
        ]
        self.likeliest = [
            (
                np.zeros((len(sequence), LIKELIEST), dtype=np.int64),
                np.zeros((len(sequence), LIKELIEST), dtype=np.float32),
            )
            for sequence in sequences
        ]

    def note_likeliest(
        self,
        indexes: NDArray[np.int64],
        positions: NDArray[np.int64],
        token_ids: NDArray[np.int64],
        log_probs: NDArray[np.float32],
    ) -> None:
        """Hand in what was likeliest, as `Scoring` has it."""
        places = zip(indexes.tolist(), positions.tolist(), strict=True)
        for row, (index, position) in enumerate(places):
            ids, values = self.likeliest[index]
            ids[position], values[position] = token_ids[row], log_probs[row]

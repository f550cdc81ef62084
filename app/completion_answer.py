"""Choices as OpenAI's clients read them, with log-probabilities where they are wanted."""

import asyncio
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.completions import Choice, Completion
from app.engine import Engine
from app.schemas import finite
from models.completion import Reading
from models.score import Score
from models.vocabulary import BOUNDARY, Vocabulary

Likeliest = tuple[NDArray[np.int64], NDArray[np.float32]]


class ChoiceWriter:
    """Writes the choices of a completion.

    Args:
        completion: the request.
        engine: gives log-probabilities.
    """

    def __init__(self, completion: Completion, engine: Engine) -> None:
        self._completion = completion
        self._engine = engine
        self._vocabulary = completion.served.checkpoint.vocabulary

    def tokens(self, choice: Choice) -> list[str]:
        """Those that its text consists of, the prompt's first if it is echoed."""
        echoed = choice.prompt.text if self._completion.body.echo else ""
        return [*echoed, *choice.tokens]

    async def write(
        self, choices: Sequence[Choice], spans: Sequence[tuple[int, int]]
    ) -> list[dict[str, Any]]:
        """Some choices, of each the tokens from one up to another."""
        read = await self._read(choices) if self._completion.body.logprobs is not None else {}
        written = []
        for choice, (start, stop) in zip(choices, spans, strict=True):
            tokens = self.tokens(choice)[start:stop]
            logprobs = None
            if self._completion.body.logprobs is not None:
                logprobs = self._logprobs(choice, tokens, start, *read.get(choice.index, _NOTHING))
                await asyncio.sleep(0)  # others are answered in between
            written.append(
                {
                    "text": "".join(tokens),
                    "index": choice.index,
                    "logprobs": logprobs,
                    "finish_reason": choice.finish_reason,
                }
            )
        return written

    async def _read(self, choices: Sequence[Choice]) -> dict[int, tuple[Score, Likeliest]]:
        """What the model thinks of each choice and its prompt, by the index of the choice."""
        sequences = {
            choice.index: self._completion.token_ids(choice) + [BOUNDARY] * choice.ended
            for choice in choices
        }
        sequences = {index: sequence for index, sequence in sequences.items() if sequence}
        if not sequences:
            return {}
        served = self._completion.served
        reading = Reading(served.model, self._vocabulary, list(sequences.values()))
        [scores] = await self._engine.work_on(served, [reading])
        return dict(zip(sequences, zip(scores, reading.likeliest, strict=True), strict=True))

    def _logprobs(
        self, choice: Choice, tokens: list[str], start: int, score: Score, likeliest: Likeliest
    ) -> dict[str, Any]:
        """Of `tokens`, the first of which is at `start`."""
        top = self._completion.body.logprobs or 0
        first = start + (0 if self._completion.body.echo else len(choice.prompt.token_ids))
        last = first + len(tokens)
        values = [finite(0.0 - nll) for nll in score.nlls[first:last]]
        ids, found = (array[first:last, :top].tolist() for array in likeliest)
        return {
            "tokens": tokens,
            "token_logprobs": values,
            "top_logprobs": [
                _alternatives(self._vocabulary, *alternatives) | {token: value}
                for token, value, *alternatives in zip(tokens, values, ids, found, strict=True)
            ],
            "text_offset": list(range(start, start + len(tokens))),
        }


_NOTHING = (Score("", (), ()), (np.zeros((0, 1), np.int64), np.zeros((0, 1), np.float32)))


def _alternatives(
    vocabulary: Vocabulary, token_ids: list[int], log_probs: list[float]
) -> dict[str, float | None]:
    """Log-probabilities by token, without the impossible."""
    pairs = zip(token_ids, log_probs, strict=True)
    return {
        "" if token_id == BOUNDARY else vocabulary.characters[token_id - 1]: log_prob
        for token_id, log_prob in pairs
        if finite(log_prob) is not None
    }


def usage(completion: Completion, choices: Sequence[Choice]) -> dict[str, int]:
    """How many tokens there were."""
    prompts = sum(len(prompt.token_ids) for prompt in completion.prompts)
    drawn = sum(len(choice.tokens) for choice in choices)
    return {
        "prompt_tokens": prompts,
        "completion_tokens": drawn,
        "total_tokens": prompts + drawn,
    }

"""Prompts continued side by side: what is drawn of them, where they are cut, how they read.

Choice i of a prompt is index i of the seed's stream, whatever else is asked for: fewer
tokens give its beginning, and a list gives each prompt what it has alone.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain, groupby

from app.catalog import ServedModel
from app.completion_schemas import CompletionBody
from app.engine import Engine
from app.errors import DeadlineExceededError
from models.completion import CompletionJob, room_after
from models.conditions import NOT_FOR_TEXT
from models.errors import ParameterError
from models.randomness import draw_seed
from models.request import MAX_NAMES, GenerationRequest
from models.sampling import SamplingParams
from models.score import encode_word
from models.vocabulary import normalize

DEFAULT_TOKENS = 16
"""OpenAI's; as it happens names.txt's longest name and its end."""
MAX_READ = 20_000
"""Tokens of an answer with logprobs, prompts included: some megabytes."""
_AT_ONCE = 8
"""Prompts of a list that are drawn together, in one place of the queue."""


@dataclass(frozen=True)
class Prompt:
    """What choices go on from: its text, in NFC, its ids, and what may be drawn after it."""

    text: str
    token_ids: tuple[int, ...]
    max_tokens: int


@dataclass(frozen=True)
class Choice:
    """A continuation as far as it is drawn.

    Attributes:
        index: among all choices of the request.
        offset: its index in the stream.
        prompt: that it goes on from.
        text: the characters drawn, without those from a stop on.
        ended: whether the end of a name was drawn after them.
        finish_reason: "stop", "length", "content_filter", or None while there is more to be
            drawn.
    """

    index: int
    offset: int
    prompt: Prompt
    text: str = ""
    ended: bool = False
    finish_reason: str | None = None

    @property
    def tokens(self) -> list[str]:
        """Those drawn; the end of a name is ""."""
        return [*self.text, *[""] * self.ended]


class Completion:
    """A request for completions, checked against its model.

    Args:
        served: the model.
        body: the request.

    Attributes:
        prompts: in order.
        seed: as given, or as drawn.
        unsafe: words of which every choice, with its prompt, must be free, or it is emptied;
            None: whatever it says.

    Raises:
        ParameterError: a value is out of this model's range, or does not go with another.
    """

    def __init__(self, served: ServedModel, body: CompletionBody) -> None:
        self.served = served
        self.body = body
        self.seed = draw_seed() if body.seed is None else body.seed
        self.unsafe = served.unsafe(body.safe)
        if self.unsafe and not served.checkpoint.vocabulary.ends:
            raise ParameterError("safe", NOT_FOR_TEXT)
        self._n = 1 if body.n is None else body.n
        temperature = 1.0 if body.temperature is None else body.temperature
        self._sampling = SamplingParams(temperature, body.top_k, body.top_p, body.min_p)
        self._stops = [normalize(stop) for stop in body.stop]
        self._check_together()
        self.prompts = [
            self._prompt(text, "prompt" if len(body.prompt) == 1 else f"prompt[{i}]")
            for i, text in enumerate(body.prompt)
        ]
        self._check_size()

    @property
    def held_back(self) -> int:
        """Characters at the end of a text that a stop could yet take away."""
        return max((len(stop) for stop in self._stops), default=1) - 1

    def choices(self, prompt: int) -> list[Choice]:
        """Those of a prompt, before anything is drawn."""
        asked = self.prompts[prompt]
        over = None if asked.max_tokens else "length"
        return [Choice(prompt * self._n + i, i, asked, finish_reason=over) for i in range(self._n)]

    async def complete(self, engine: Engine) -> list[Choice]:
        """All choices, in order.

        Raises:
            DeadlineExceededError: they have taken longer than a request may.
        """
        finished: list[Choice] = []
        try:
            async with asyncio.timeout(engine.deadline_s):
                for first in range(0, len(self.prompts), _AT_ONCE):
                    indexes = range(first, min(first + _AT_ONCE, len(self.prompts)))
                    begun = list(chain(*map(self.choices, indexes)))
                    finished += await self.extend(engine, begun)
        except TimeoutError:
            message = f"this was not done in {engine.deadline_s:g} s, the most it may take"
            raise DeadlineExceededError(message) from None
        return finished

    async def extend(
        self, engine: Engine, choices: Sequence[Choice], most: int | None = None
    ) -> list[Choice]:
        """Some choices with up to `most` tokens more, or all; those of a prompt side by side."""
        going = [choice for choice in choices if choice.finish_reason is None]
        if not going:
            return list(choices)
        # Those of which nothing is drawn yet are one job.
        together = groupby(going, lambda one: (one.index - one.offset, one.text and one.index))
        groups = [list(group) for _, group in together]
        asked = [_asked(group[0], most) for group in groups]
        jobs = [self._job(group, wanted) for group, wanted in zip(groups, asked, strict=True)]
        grown = {}
        generated = await engine.work_on(self.served, jobs)
        for group, wanted, drawn in zip(groups, asked, generated, strict=True):
            for choice, name in zip(group, drawn.names, strict=True):
                text = name.name[len(choice.prompt.token_ids) :]
                grown[choice.index] = self._grown(choice, text, wanted)
        return [grown.get(choice.index, choice) for choice in choices]

    def token_ids(self, choice: Choice) -> list[int]:
        """Of the prompt and the text."""
        # One by one: what was drawn need not be in NFC.
        encode = self.served.checkpoint.vocabulary.encode
        return [*choice.prompt.token_ids, *chain(*map(encode, choice.text))]

    def _job(self, group: list[Choice], asked: int) -> CompletionJob:
        """Draws choices that go on from one text until they have `asked` tokens."""
        first = group[0]
        return CompletionJob(
            GenerationRequest(self.seed, len(group), first.offset, self._sampling),
            self.token_ids(first),
            asked - len(first.text),
            self.served.model,
            self.served.checkpoint.vocabulary,
        )

    def _grown(self, choice: Choice, text: str, asked: int) -> Choice:
        """A choice of which `asked` tokens were to be drawn, and gave `text`."""
        grown = self._cut(choice, text, asked)
        if not self.unsafe or not grown.finish_reason:
            return grown
        if self.unsafe.allows(grown.prompt.text + grown.text):
            return grown
        return replace(grown, text="", ended=False, finish_reason="content_filter")

    def _cut(self, choice: Choice, text: str, asked: int) -> Choice:
        stopped = find_stop(text, self._stops)
        if stopped is not None:
            return replace(choice, text=text[:stopped], finish_reason="stop")
        if len(text) < asked:
            return replace(choice, text=text, ended=True, finish_reason="stop")
        over = "length" if asked == choice.prompt.max_tokens else None
        return replace(choice, text=text, finish_reason=over)

    def _prompt(self, text: str, parameter: str) -> Prompt:
        model, vocabulary = self.served.model, self.served.checkpoint.vocabulary
        token_ids = encode_word(model, vocabulary, text, parameter, shortest=0)
        room = room_after(model, vocabulary, token_ids)
        wanted = self.body.max_tokens
        if wanted is not None and wanted > room:
            message = f"is out of range; allowed: 0 to {room}, what the model can hold after "
            raise ParameterError("max_tokens", message + parameter)
        most = min(DEFAULT_TOKENS, room) if wanted is None else wanted
        return Prompt(vocabulary.decode(token_ids), tuple(token_ids), most)

    def _check_together(self) -> None:
        """Raise ParameterError for a value that does not go with another one."""
        if self._n * len(self.body.prompt) > MAX_NAMES:
            allowed = f"1 to {MAX_NAMES // len(self.body.prompt)} with so many prompts"
            raise ParameterError("n", f"is out of range; allowed: {allowed}")
        if self.body.best_of not in (None, 1, self._n):
            raise ParameterError("best_of", "is not supported here; allowed: 1, n or null")
        if self.body.stream_options is not None and not self.body.stream:
            raise ParameterError("stream_options", "is for streams; allowed: with stream=true")

    def _check_size(self) -> None:
        if self.body.logprobs is None:
            return
        each = sum(len(prompt.token_ids) + prompt.max_tokens for prompt in self.prompts)
        if each * self._n > MAX_READ:
            message = f"is for {MAX_READ} tokens at most, n times prompts and max_tokens"
            raise ParameterError("logprobs", f"{message}; here there may be {each * self._n}")


def find_stop(text: str, stops: Iterable[str]) -> int | None:
    """Where the stop begins that is complete first, the longest if several are; None: nowhere."""
    found = [(start + len(stop), start) for stop in stops if (start := text.find(stop)) >= 0]
    return min(found)[1] if found else None


def _asked(choice: Choice, most: int | None) -> int:
    """The tokens that a choice is to have, drawn so far or not."""
    limit = choice.prompt.max_tokens
    return limit if most is None else min(len(choice.text) + most, limit)

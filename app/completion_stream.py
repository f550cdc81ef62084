"""A completion as server-sent events: the text of each choice, some characters at a time.

What was sent is drawn on from: a choice that goes on is asked for again, with what it has
so far, at the same index of the stream; so its text is that of an answer in one piece.
"""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from fastapi import Request

from app.completion_answer import ChoiceWriter, usage
from app.completions import Choice, Completion
from app.encoding import encode
from app.engine import Engine
from app.errors import EngineStoppedError, OverloadedError, late_problem
from app.shutdown import Shutdown, ShuttingDownError
from models.errors import NamewrightError

logger = logging.getLogger("uvicorn.error")

FIRST = 16
"""Tokens before something is sent; then twice as many each time, for each draws from the start."""
_SIDE_BY_SIDE = 16
"""Choices that grow together."""
_PAUSE_S = 0.05
"""Before a full queue is asked again, and up to three times as long."""

T = TypeVar("T")


@dataclass(frozen=True)
class CompletionStream:
    """A stream that can begin.

    Attributes:
        http: whose answer it is.
        engine: draws.
        shutdown: ends it early.
        completion: what is asked for.
        writer: of its choices.
        about: what every chunk says.
    """

    http: Request
    engine: Engine
    shutdown: Shutdown
    completion: Completion
    writer: ChoiceWriter
    about: dict[str, Any]

    async def begin(self) -> list[Choice]:
        """The first choices, begun: to see whether the stream can."""
        return await self.completion.extend(self.engine, next(self._groups()), FIRST)

    async def body(self, first: list[Choice]) -> AsyncIterator[bytes]:
        """All of it; `first` is what `begin` has drawn."""
        finished: list[Choice] = []
        try:
            for number, group in enumerate(self._groups()):
                begun = first if number == 0 else await self._draw(group, FIRST)
                async for chunks in self._grow(begun, finished):
                    yield chunks
            if self._with_usage:
                counted = usage(self.completion, finished)
                yield _event(self.about | {"choices": [], "usage": counted})
            yield b"data: [DONE]\n\n"
        except Exception as error:  # too late for the handlers of the application
            yield _event(await self._failure(error))

    def _groups(self) -> Iterator[list[Choice]]:
        """Choices that grow together, of one prompt each."""
        for prompt in range(len(self.completion.prompts)):
            choices = self.completion.choices(prompt)
            for start in range(0, len(choices), _SIDE_BY_SIDE):
                yield choices[start : start + _SIDE_BY_SIDE]

    async def _grow(self, choices: list[Choice], finished: list[Choice]) -> AsyncIterator[bytes]:
        """The chunks of a group, until all of it has finished and is added to `finished`."""
        sent = {choice.index: 0 for choice in choices}  # of those that go on
        size = FIRST
        while True:
            going = [choice for choice in choices if choice.index in sent]
            news = [(choice, (sent[choice.index], self._settled(choice))) for choice in going]
            news = [(choice, (a, b)) for choice, (a, b) in news if b > a or choice.finish_reason]
            if news:
                yield await self._write(news)
            sent |= {choice.index: end for choice, (_, end) in news}
            for choice in going:
                if choice.finish_reason:
                    del sent[choice.index]
            if not sent:
                finished += choices
                return
            size *= 2
            choices = await self._draw(choices, size)

    def _settled(self, choice: Choice) -> int:
        """How many tokens of a choice will stay, whatever comes."""
        count = len(self.writer.tokens(choice))
        if not choice.finish_reason and self.completion.unsafe:
            return 0  # what has an offensive word is known only when it has ended
        return count if choice.finish_reason else max(count - self.completion.held_back, 0)

    async def _draw(self, choices: list[Choice], most: int) -> list[Choice]:
        return await self._patiently(lambda: self.completion.extend(self.engine, choices, most))

    async def _write(self, news: list[tuple[Choice, tuple[int, int]]]) -> bytes:
        """A chunk for each choice, of its tokens from one up to another."""
        choices, spans = [choice for choice, _ in news], [span for _, span in news]
        written = await self._patiently(lambda: self.writer.write(choices, spans))
        rest: dict[str, Any] = {"usage": None} if self._with_usage else {}
        return b"".join(_event(self.about | {"choices": [choice]} | rest) for choice in written)

    async def _patiently(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The result of some work, once there is a place in the queue for it."""
        while True:
            try:
                return await self.shutdown.unless_begun(work())
            except OverloadedError:
                pause = _PAUSE_S * random.uniform(1, 3)
                await self.shutdown.unless_begun(asyncio.sleep(pause))

    async def _failure(self, error: Exception) -> dict[str, Any]:
        """What clients raise as an error."""
        if isinstance(error, ShuttingDownError):
            error = EngineStoppedError("the server shuts down; please ask again")
        elif not isinstance(error, NamewrightError):
            logger.exception("request %s failed in mid-stream", self.http.scope["request_id"])
        return await late_problem(self.http, error)

    @property
    def _with_usage(self) -> bool:
        options = self.completion.body.stream_options
        return options is not None and options.include_usage


def _event(data: dict[str, Any]) -> bytes:
    return f"data: {encode(data)}\n\n".encode()

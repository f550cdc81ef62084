"""How many requests may wait for their answers to begin, and how many are begun at a time.

The engine's queue alone does not keep an overloaded process responsive: what a request costs
before it gets there, parsing and checking, is most of what there is, and is spent on the event
loop, where everyone else waits. A request that is refused here has cost the reading of its head.
A stream waits only until it begins.

Those that are admitted begin a few in each round of the event loop, so that no round takes long:
a probe that comes in the midst of hundreds is answered in the next.
"""

import asyncio
from collections import deque

from starlette.types import ASGIApp, Message, Receive, Scope, Send

FEWEST = 64
"""That may wait, however short the engine's queue: not all need a place there."""
A_ROUND = 4
"""Requests that begin in a round of the event loop: some milliseconds."""

_WAITS = "namewright.waits"
_OPEN = ("/livez", "/readyz", "/metrics", "/static/", "/docs", "/openapi.json")
_OPEN_BYTES = tuple(path.encode() for path in _OPEN)


class Admission:
    """Of one process.

    Args:
        queue_size: requests that the engine takes.
    """

    def __init__(self, queue_size: int) -> None:
        self._most = max(queue_size, FEWEST)
        self._waiting = 0
        self._begun = 0  # in this round
        self._later: deque[asyncio.Future[None]] = deque()  # for a round of theirs

    @property
    def full(self) -> bool:
        """Whether as many wait as may."""
        return self._waiting >= self._most

    def enter(self, scope: Scope) -> None:
        """One more waits, a request that is complete; of the application that `counting` gives.

        One that is still to come does not: whoever sends slowly would take the place of others.
        """
        self._waiting += 1
        scope[_WAITS] = True

    def _leave(self, scope: Scope) -> None:
        self._waiting -= scope.pop(_WAITS, False)

    def counting(self, app: ASGIApp) -> ASGIApp:
        """An application whose requests leave, if they have entered, when they are answered."""

        async def counted(scope: Scope, receive: Receive, send: Send) -> None:
            async def send_and_leave(message: Message) -> None:
                self._leave(scope)
                await send(message)

            try:
                if not scope["path"].startswith(_OPEN):
                    await self._begin()
                await app(scope, receive, send_and_leave)
            finally:
                self._leave(scope)

        return counted

    async def _begin(self) -> None:
        loop = asyncio.get_running_loop()
        if not self._begun:
            loop.call_soon(self._next_round)
        if self._begun < A_ROUND and not self._later:
            self._begun += 1
            return
        turn = loop.create_future()
        self._later.append(turn)
        await turn

    def _next_round(self) -> None:
        self._begun = 0
        while self._later and self._begun < A_ROUND:
            turn = self._later.popleft()
            if not turn.done():  # cancelled
                turn.set_result(None)
                self._begun += 1
        if self._begun:
            asyncio.get_running_loop().call_soon(self._next_round)


def is_always_admitted(url: bytes) -> bool:
    """Whether a request is for what probes and the page's first view need."""
    return url.startswith(_OPEN_BYTES) or url == b"/"

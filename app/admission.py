"""How many requests may wait for their answers to begin; one more is refused before it costs.

The engine's queue alone does not keep an overloaded process responsive: what a request costs
before it gets there, parsing and checking, is most of what there is, and is spent on the event
loop, where everyone else waits. A request that is refused here has cost the reading of its head.
A stream waits only until it begins.
"""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

FEWEST = 64
"""That may wait, however short the engine's queue: not all need a place there."""

_OPEN = (b"/livez", b"/readyz", b"/metrics", b"/static/", b"/docs", b"/openapi.json")


class Admission:
    """Of one process.

    Args:
        queue_size: requests that the engine takes.
    """

    def __init__(self, queue_size: int) -> None:
        self._most = max(queue_size, FEWEST)
        self._waiting = 0

    @property
    def full(self) -> bool:
        """Whether as many wait as may."""
        return self._waiting >= self._most

    def enter(self) -> None:
        """One more waits; a task of the application that `counting` gives begins for it."""
        self._waiting += 1

    def counting(self, app: ASGIApp) -> ASGIApp:
        """An application whose requests have entered, and leave when they are answered."""

        async def counted(scope: Scope, receive: Receive, send: Send) -> None:
            waits = True

            async def send_and_leave(message: Message) -> None:
                nonlocal waits
                if waits:
                    waits = False
                    self._waiting -= 1
                await send(message)

            try:
                await app(scope, receive, send_and_leave)
            finally:
                self._waiting -= waits

        return counted


def is_always_admitted(url: bytes) -> bool:
    """Whether a request is for what probes and the page's first view need."""
    return url.startswith(_OPEN) or url == b"/"

"""Two threads of one interpreter that take turns, where there is much to do for both.

Each time that the event loop has something to read it needs the interpreter, which the engine's
thread holds while it draws. Handing it over costs more than most of what the event loop then does.
In a crowd the engine therefore stops after each step, and goes on when the event loop has done all
that there was: it is faster if no one runs beside it.
"""

import asyncio
import threading

CROWD = 32
"""Requests under way from which on they take turns; a few are answered sooner without."""
ROUND_S = 0.05
"""At most, for the event loop's turn."""


class Turns:
    """What the engine's thread waits for."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._been_round = threading.Event()

    def join(self) -> asyncio.AbstractEventLoop:
        """The event loop that runs, which is to have turns."""
        self._loop = asyncio.get_running_loop()
        return self._loop

    def give_way(self) -> None:
        """Wait, in the thread, until the event loop has been round."""
        if self._loop:
            self._been_round.clear()
            self._loop.call_soon_threadsafe(self._been_round.set)
            self._been_round.wait(ROUND_S)

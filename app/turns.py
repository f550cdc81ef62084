"""Two threads of one interpreter that take turns, where there is much to do for both.

Each time that the event loop has something to read it needs the interpreter, which the engine's
thread holds while it draws. Handing it over costs more than most of what the event loop then does.
In a crowd the engine therefore stops after each step, until the event loop has done all that there
was; and the event loop then rests while the engine takes its next step, unless that takes long.
"""

import asyncio
import threading
import time

CROWD = 32
"""Requests under way from which on they take turns; a few are answered sooner without."""
TURN_S = 0.03
"""Of the event loop, about; it ends sooner where there is nothing to do."""
STEP_S = 0.02
"""Of the engine, at most: a longer step is mostly torch's, beside which others can run."""

_GIVEN_UP_S = 2 * TURN_S
_ROUNDS = 3
"""Of the event loop, at least: what it reads in one is begun and written in the next."""
_IDLE_S = 50e-6
"""A round that takes less has done nothing."""


class Turns:
    """What the two wait for."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._been_round = threading.Event()
        self._stepped = threading.Event()

    def join(self) -> asyncio.AbstractEventLoop:
        """The event loop that runs, which is to have turns."""
        self._loop = asyncio.get_running_loop()
        return self._loop

    def give_way(self) -> None:
        """Wait, in the thread, until the event loop has had its turn."""
        if self._loop:
            self._stepped.set()
            self._been_round.clear()
            began_s = time.perf_counter()
            self._loop.call_soon_threadsafe(self._go_round, 1, began_s, began_s)
            self._been_round.wait(_GIVEN_UP_S)

    def done(self) -> None:
        """Tell, in the thread, that it has no step to take."""
        self._stepped.set()

    def _go_round(self, rounds: int, began_s: float, last_s: float) -> None:
        now_s = time.perf_counter()
        busy = rounds <= _ROUNDS or now_s - last_s > _IDLE_S
        if self._loop and busy and now_s - began_s < TURN_S:
            self._loop.call_soon(self._go_round, rounds + 1, began_s, now_s)
            return
        self._stepped.clear()
        self._been_round.set()
        self._stepped.wait(STEP_S)

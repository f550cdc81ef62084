"""Which streams draw, of all that could.

A stream that no one waits for to end takes as much as there is: the names of hundreds of them would
go before the few that someone else waits for, and writing each piece would hold the event loop
up. So only a few of a model's streams draw at a time, and the others wait for their turn, outside
of the engine's queue: a short request meets no more than those few.
"""

import asyncio
from weakref import WeakKeyDictionary

from app.catalog import ServedModel

AT_A_TIME = 2
"""Pieces that are drawn for the streams of a model: one, while another is written."""


class StreamPlaces:
    """Of one process; on the event loop."""

    def __init__(self) -> None:
        self._places: WeakKeyDictionary[ServedModel, asyncio.Semaphore] = WeakKeyDictionary()

    def of(self, served: ServedModel) -> asyncio.Semaphore:
        """Within it, a piece of a stream of this model may be drawn; first come, first served."""
        return self._places.setdefault(served, asyncio.Semaphore(AT_A_TIME))

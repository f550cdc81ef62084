"""Noticing that the process was asked to end, without getting in the server's way."""

import asyncio
import signal
from collections.abc import Iterator
from types import FrameType

import pytest

from app.shutdown import Shutdown, ShuttingDownError


@pytest.fixture
def received() -> Iterator[list[int]]:
    """The signals that a server's own handler of SIGTERM has got."""
    numbers: list[int] = []

    def handle(number: int, frame: FrameType | None) -> None:
        del frame
        numbers.append(number)

    before = signal.signal(signal.SIGTERM, handle)
    yield numbers
    signal.signal(signal.SIGTERM, before)


def test_a_signal_ends_what_runs_and_still_reaches_the_servers_handler(
    received: list[int],
) -> None:
    cancelled = False

    async def endless() -> None:
        nonlocal cancelled
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled = True
            raise

    async def be_asked_to_end() -> None:
        shutdown = Shutdown()
        with shutdown.watch_signals():
            work = asyncio.create_task(shutdown.unless_begun(endless()))
            await asyncio.sleep(0)
            signal.raise_signal(signal.SIGTERM)
            with pytest.raises(ShuttingDownError):
                await work
        await asyncio.sleep(0)

    handler = signal.getsignal(signal.SIGTERM)
    asyncio.run(be_asked_to_end())
    assert cancelled
    assert received == [signal.SIGTERM]
    assert signal.getsignal(signal.SIGTERM) is handler


def test_a_signal_that_no_one_handles_keeps_its_effect() -> None:
    async def watch() -> object:
        with Shutdown().watch_signals():
            return signal.getsignal(signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        assert asyncio.run(watch()) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGTERM, before)


def test_outside_of_the_main_thread_no_signal_is_touched(received: list[int]) -> None:
    async def watch() -> object:
        with Shutdown().watch_signals():
            return signal.getsignal(signal.SIGTERM)

    async def from_a_thread() -> object:
        return await asyncio.to_thread(asyncio.run, watch())

    before = signal.getsignal(signal.SIGTERM)
    assert asyncio.run(from_a_thread()) is before
    assert received == []


def test_work_that_ends_or_fails_does_so_as_without() -> None:
    async def divide(by: int) -> float:
        await asyncio.sleep(0)
        return 1 / by

    async def both() -> None:
        shutdown = Shutdown()
        assert await shutdown.unless_begun(divide(2)) == 0.5
        with pytest.raises(ZeroDivisionError):
            await shutdown.unless_begun(divide(0))

    asyncio.run(both())

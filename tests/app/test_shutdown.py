"""What has no end of its own, when the process is asked to end."""

import asyncio

import pytest

from app.shutdown import Shutdown, ShuttingDownError


def test_the_end_cancels_what_runs() -> None:
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
        work = asyncio.create_task(shutdown.unless_begun(endless()))
        await asyncio.sleep(0)
        assert not shutdown.draining
        shutdown.begin()
        with pytest.raises(ShuttingDownError):
            await work
        assert shutdown.draining
        await asyncio.sleep(0)

    asyncio.run(be_asked_to_end())
    assert cancelled


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

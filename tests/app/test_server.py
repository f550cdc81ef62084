"""What a process does when it is sent a signal, wherever it is just then."""

import asyncio
import signal

import pytest

from app.logs import CURRENT_REQUEST, CurrentRequest
from app.server import Server
from app.settings import Settings


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_what_a_signal_begins_is_no_part_of_the_request_that_it_came_into(
    monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    server = Server(Settings(models="bigram", default_model="bigram"))
    seen = []
    monkeypatch.setattr(server, "end", lambda _: seen.append(CURRENT_REQUEST.get()))
    monkeypatch.setattr(server, "reload", lambda: seen.append(CURRENT_REQUEST.get()))

    async def answer() -> None:
        CURRENT_REQUEST.set(CurrentRequest("mine-1"))
        signal.raise_signal(number)
        await asyncio.sleep(0)

    async def serve() -> None:
        with server.capture_signals():
            await asyncio.create_task(answer())

    asyncio.run(serve())
    assert seen == [None]

"""How many requests wait for their answers to begin."""

import asyncio
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from app.admission import A_ROUND, FEWEST, Admission, is_always_admitted

START: Message = {"type": "http.response.start", "status": 200}
SCOPE: Scope = {"type": "http", "path": "/generate"}
BODY: Message = {"type": "http.response.body"}


async def nothing(*_: Any) -> Any:
    return None


def fill(admission: Admission, size: int) -> None:
    for _ in range(size):
        assert not admission.full
        admission.enter({})


def entered(admission: Admission) -> Scope:
    scope = dict(SCOPE)
    admission.enter(scope)
    return scope


def test_as_many_may_wait_as_the_queue_takes_and_no_fewer_than_some() -> None:
    for size, most in ((1, FEWEST), (300, 300)):
        admission = Admission(size)
        fill(admission, most)
        assert admission.full


def test_a_request_waits_until_its_answer_begins_and_leaves_once() -> None:
    admission = Admission(1)
    fill(admission, FEWEST - 1)

    async def stream(scope: Scope, receive: Receive, send: Send) -> None:
        del scope, receive
        assert admission.full
        await send(START)
        assert not admission.full
        await send(BODY)
        await send(BODY)

    asyncio.run(admission.counting(stream)(entered(admission), nothing, nothing))
    admission.enter({})
    assert admission.full


def test_a_request_that_has_not_entered_does_not_leave() -> None:
    admission = Admission(1)
    fill(admission, FEWEST)
    asyncio.run(admission.counting(nothing)(dict(SCOPE), nothing, nothing))
    assert admission.full


def test_a_request_that_ends_without_an_answer_leaves_too() -> None:
    admission = Admission(1)
    fill(admission, FEWEST - 2)

    async def fail(*_: Any) -> None:
        raise ValueError

    with pytest.raises(ValueError, match="^$"):
        asyncio.run(admission.counting(fail)(entered(admission), nothing, nothing))
    asyncio.run(admission.counting(nothing)(entered(admission), nothing, nothing))
    fill(admission, 2)
    assert admission.full


def test_many_begin_a_few_at_a_time_in_their_order_and_a_probe_at_once() -> None:
    admission = Admission(1000)
    begun: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        del receive, send
        begun.append(scope["path"])

    async def run() -> None:
        counted = admission.counting(app)
        paths = [f"/names/{number}" for number in range(3 * A_ROUND + 1)]
        tasks = [asyncio.ensure_future(counted(SCOPE | {"path": path}, nothing, nothing))
                 for path in paths]  # fmt: skip
        await asyncio.sleep(0)
        assert begun == paths[:A_ROUND]
        tasks[A_ROUND].cancel()  # its client has gone
        probe = asyncio.ensure_future(counted(SCOPE | {"path": "/livez"}, nothing, nothing))
        for _ in range(3):
            before = len(begun)
            await asyncio.sleep(0)
            assert len(begun) <= before + A_ROUND + 1
        await asyncio.gather(*tasks, probe, return_exceptions=True)
        del paths[A_ROUND]
        assert [path for path in begun if path != "/livez"] == paths
        assert begun.index("/livez") <= 2 * A_ROUND

    asyncio.run(run())


@pytest.mark.parametrize("url", [b"/", b"/livez", b"/readyz?x", b"/metrics", b"/static/a.js"])
def test_probes_and_the_page_are_always_admitted(url: bytes) -> None:
    assert is_always_admitted(url)


@pytest.mark.parametrize("url", [b"/generate", b"/score?word=a", b"/models", b"//", b"*"])
def test_what_costs_is_not(url: bytes) -> None:
    assert not is_always_admitted(url)

"""How many requests wait for their answers to begin."""

import asyncio
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from app.admission import FEWEST, Admission, is_always_admitted

START: Message = {"type": "http.response.start", "status": 200}
BODY: Message = {"type": "http.response.body"}


async def nothing(*_: Any) -> Any:
    return None


def fill(admission: Admission, size: int) -> None:
    for _ in range(size):
        assert not admission.full
        admission.enter()


def test_as_many_may_wait_as_the_queue_takes_and_no_fewer_than_some() -> None:
    for size, most in ((1, FEWEST), (300, 300)):
        admission = Admission(size)
        fill(admission, most)
        assert admission.full


def test_a_request_waits_until_its_answer_begins_and_leaves_once() -> None:
    admission = Admission(1)
    fill(admission, FEWEST)

    async def stream(scope: Scope, receive: Receive, send: Send) -> None:
        del scope, receive
        assert admission.full
        await send(START)
        assert not admission.full
        await send(BODY)
        await send(BODY)

    asyncio.run(admission.counting(stream)({}, nothing, nothing))
    admission.enter()
    assert admission.full


def test_a_request_that_ends_without_an_answer_leaves_too() -> None:
    admission = Admission(1)
    fill(admission, FEWEST)

    async def fail(*_: Any) -> None:
        raise ValueError

    with pytest.raises(ValueError, match="^$"):
        asyncio.run(admission.counting(fail)({}, nothing, nothing))
    asyncio.run(admission.counting(nothing)({}, nothing, nothing))
    fill(admission, 2)
    assert admission.full


@pytest.mark.parametrize("url", [b"/", b"/livez", b"/readyz?x", b"/metrics", b"/static/a.js"])
def test_probes_and_the_page_are_always_admitted(url: bytes) -> None:
    assert is_always_admitted(url)


@pytest.mark.parametrize("url", [b"/generate", b"/score?word=a", b"/models", b"//", b"*"])
def test_what_costs_is_not(url: bytes) -> None:
    assert not is_always_admitted(url)

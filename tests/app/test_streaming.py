"""A stream that meets trouble after it has begun, with a real engine and a real model."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from fastapi import Request

from app.bulk import Bulk
from app.bulk_formats import JsonLines
from app.catalog import ServedModel
from app.engine import Engine
from app.shutdown import Shutdown
from app.stream_schemas import StreamEnd
from app.streaming import FIRST, NameStream, _next_size
from models.checkpoint import load_checkpoint
from models.generation import generate
from models.request import GenerationRequest

REQUEST = GenerationRequest(seed=1)
ABOUT = {
    **{"seed": 1, "n": None, "offset": 0, "model": "tiny", "fingerprint": "f", "prefix": ""},
    **{"temperature": 1.0, "top_k": None, "top_p": None, "min_p": None},
    **{"min_length": 1, "max_length": 9, "suffix": "", "contains": "", "pattern": ""},
    **{"exclude": "", "novel": False, "safe": False, "safe_list": None},
}


@pytest.fixture
def served(make_checkpoint: Callable[..., Path]) -> ServedModel:
    return ServedModel("tiny", load_checkpoint(make_checkpoint("gru")), "cpu")


def stream_of(engine: Engine, served: ServedModel, shutdown: Shutdown) -> NameStream:
    http = Request({"type": "http", "request_id": "find-me"})
    return NameStream(http, engine, shutdown, served, Bulk(REQUEST, None), JsonLines(False), ABOUT)


def stream_until(
    served: ServedModel, chunks: int, trouble: Callable[[Engine, Shutdown], object]
) -> list[dict[str, object]]:
    """The lines of a stream that gives `chunks` chunks, then has trouble."""

    async def collect() -> bytes:
        engine, shutdown = Engine([served], queue_size=1), Shutdown()
        engine.start()
        stream = stream_of(engine, served, shutdown)
        body = stream.body(await engine.generate(served, stream.bulk.request(16)))
        received = b"".join([await anext(body) for _ in range(chunks)])
        trouble(engine, shutdown)
        received += b"".join([part async for part in body])
        engine.stop()
        return received

    return [json.loads(line) for line in asyncio.run(collect()).splitlines()]


def assert_names_go_up_to(lines: list[dict[str, object]], end: StreamEnd, served: object) -> None:
    """The names before the last line are those of the model, none missing before its offset."""
    assert isinstance(served, ServedModel)
    request = GenerationRequest(seed=1, n=end.count)
    expected = generate(served.model, served.checkpoint.vocabulary, request)
    assert [line["name"] for line in lines[:-1]] == [drawn.name for drawn in expected.names]
    assert end.next_offset == expected.next_offset


def test_a_model_that_fails_in_mid_stream_is_told_in_the_last_line(
    served: ServedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_model(*_: object) -> None:
        monkeypatch.setattr(type(served.model), "step", lambda *_: 1 / 0)

    lines = stream_until(served, 4, break_model)
    end = StreamEnd.model_validate(lines[-1])
    assert end.end == "error"
    assert end.error is not None
    assert (end.error.status, end.error.request_id) == (500, "find-me")
    assert "division" not in end.error.detail
    monkeypatch.undo()
    assert_names_go_up_to(lines, end, served)


def test_an_engine_that_has_stopped_is_told_in_the_last_line(served: ServedModel) -> None:
    lines = stream_until(served, 4, lambda engine, _: engine.stop())
    end = StreamEnd.model_validate(lines[-1])
    assert end.error is not None
    assert (end.end, end.error.status) == ("error", 503)
    assert_names_go_up_to(lines, end, served)


def test_a_shutdown_ends_a_stream_with_where_to_go_on(served: ServedModel) -> None:
    lines = stream_until(served, 4, lambda _, shutdown: shutdown.begin())
    end = StreamEnd.model_validate(lines[-1])
    assert (end.end, end.error) == ("stopping", None)
    assert_names_go_up_to(lines, end, served)


def test_a_full_queue_makes_a_stream_wait_and_it_goes_on_with_no_name_missing(
    served: ServedModel,
) -> None:
    async def collect() -> bytes:
        engine, shutdown = Engine([served], queue_size=1), Shutdown()
        engine.start()
        stream = stream_of(engine, served, shutdown)
        body = stream.body(await engine.generate(served, stream.bulk.request(16)))
        received = b"".join([await anext(body) for _ in range(3)])
        other = asyncio.create_task(engine.generate(served, GenerationRequest(seed=2, n=1000)))
        await asyncio.sleep(0)  # it has the only place
        refused = asyncio.create_task(anext(body))
        await asyncio.sleep(0)
        assert not refused.done()
        assert len((await other).names) == 1000
        received += await refused
        await body.aclose()
        engine.stop()
        return received

    names = [json.loads(line)["name"] for line in asyncio.run(collect()).splitlines()]
    request = GenerationRequest(seed=1, n=len(names))
    expected = generate(served.model, served.checkpoint.vocabulary, request)
    assert names == [drawn.name for drawn in expected.names]
    assert len(names) > 16 + 16


def test_a_stream_begins_with_few_names_and_has_fewer_at_a_time_of_a_slow_model() -> None:
    sizes = [FIRST]
    for _ in range(10):
        sizes.append(_next_size(sizes[-1], 0.01))
    assert sizes == [16, 32, 64, 128, 256, 512, 1000, 1000, 1000, 1000, 1000]
    for drawn_in_s in (2.0, 4.0, 4.0, 4.0, 4.0, 2.0):
        sizes.append(_next_size(sizes[-1], drawn_in_s))
    assert sizes[-6:] == [1000, 500, 250, 125, 62, 124]

"""The pool as the engine's thread fills it."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from app.catalog import ServedModel
from app.engine import Engine
from app.pool import PooledNames
from models.checkpoint import load_checkpoint
from models.generation import generate
from models.request import Generated, GenerationRequest

LONG = GenerationRequest(seed=1, n=1000)


@pytest.fixture
def served(make_checkpoint: Callable[..., Path]) -> ServedModel:
    return ServedModel("tiny", load_checkpoint(make_checkpoint("transformer")), "cpu")


async def fill(engine: Engine) -> None:
    while engine._leisure.filling:
        await asyncio.sleep(0.01)


def test_while_there_is_nothing_to_do_the_pool_is_filled_and_filled_again(
    served: ServedModel,
) -> None:
    vocabulary = served.checkpoint.vocabulary

    async def ask() -> list[PooledNames]:
        engine = Engine([served], 10, 100_000, default=served.id, pool_names=40)
        engine.start()
        taken = []
        for _ in range(5):
            await fill(engine)
            while pooled := engine.take(served, 7):
                taken.append(pooled)
            answer = await engine.generate(served, LONG)
            assert answer == generate(served.model, vocabulary, LONG)
        engine.stop()
        return taken

    taken = asyncio.run(ask())
    assert len(taken) == 25
    assert len({pooled.request.seed for pooled in taken}) == 5
    for pooled in taken:
        answer = generate(served.model, vocabulary, pooled.request)
        assert json.loads(b"[" + pooled.names + b"]") == [drawn.name for drawn in answer.names]


def test_a_request_that_comes_while_the_pool_is_filled_is_answered_as_ever(
    served: ServedModel,
) -> None:
    request = GenerationRequest(seed=5, n=20)

    async def ask() -> list[Generated]:
        engine = Engine([served], 10, default=served.id, pool_names=100_000)
        engine.start()
        answers = []
        for _ in range(20):
            await asyncio.sleep(0.005)
            assert engine._leisure.filling
            answers.append(await engine.generate(served, request))
        engine.stop()
        return answers

    alone = generate(served.model, served.checkpoint.vocabulary, request)
    assert asyncio.run(ask()) == [alone] * 20


def test_only_the_default_model_has_a_pool(
    served: ServedModel, make_checkpoint: Callable[..., Path]
) -> None:
    other = ServedModel("other", load_checkpoint(make_checkpoint("bigram")), "cpu")

    async def ask() -> None:
        engine = Engine([served, other], 10, default=served.id, pool_names=40)
        engine.start()
        await fill(engine)
        assert engine.take(other, 1) is None
        assert engine.take(served, 1)
        engine.stop()

    asyncio.run(ask())


def test_a_model_that_fails_while_the_pool_is_filled_gets_none_and_can_be_asked(
    served: ServedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def ask() -> None:
        engine = Engine([served], 10, default=served.id, pool_names=40)
        with monkeypatch.context() as broken:
            broken.setattr(type(served.model), "step", lambda *_: 1 / 0)
            engine.start()
            await fill(engine)
        assert engine.take(served, 1) is None
        assert len((await engine.generate(served, GenerationRequest(seed=1))).names) == 10
        engine.stop()

    asyncio.run(ask())

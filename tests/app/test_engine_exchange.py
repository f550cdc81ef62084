"""Other models for an engine that is at work."""

import asyncio
import gc
import weakref
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from app import lanes
from app.catalog import ServedModel
from app.engine import Engine
from app.errors import DeviceLostError, EngineStoppedError
from models.checkpoint import load_checkpoint
from models.generation import generate
from models.request import Generated, GenerationRequest

LONG = GenerationRequest(seed=1, n=1000)
SHORT = GenerationRequest(seed=2, n=20)

Make = Callable[..., ServedModel]


@pytest.fixture
def make(make_checkpoint: Callable[..., Path]) -> Make:
    """make(model id, seed of its weights) -> the model, as served."""

    def make_served(model_id: str, seed: int) -> ServedModel:
        folder = make_checkpoint("transformer", name=f"{model_id}-{seed}", seed=seed)
        return ServedModel(model_id, load_checkpoint(folder), "cpu")

    return make_served


def alone(served: ServedModel, request: GenerationRequest) -> Generated:
    return generate(served.model, served.checkpoint.vocabulary, request)


async def settled(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.005)


def test_requests_under_way_keep_their_model_and_later_ones_have_the_new_one(make: Make) -> None:
    old, new = make("tiny", 1), make("tiny", 2)
    assert alone(old, SHORT) != alone(new, SHORT)

    async def ask() -> None:
        engine = Engine([old], 100, 100_000, default="tiny")
        engine.start()
        begun = [asyncio.create_task(engine.generate(old, LONG)) for _ in range(3)]
        await settled(lambda: engine._busy)
        engine.exchange([new])
        assert await engine.generate(new, SHORT) == alone(new, SHORT)
        # As a stream does that began before.
        assert await engine.generate(old, SHORT) == alone(old, SHORT)
        assert await asyncio.gather(*begun) == [alone(old, LONG)] * 3
        engine.stop()

    asyncio.run(ask())


def test_a_model_that_has_not_changed_keeps_its_tree_and_its_pool(make: Make) -> None:
    same, old, new = make("same", 1), make("other", 1), make("other", 2)

    async def ask() -> None:
        engine = Engine([same, old], 10, 400_000, default="same", pool_names=40)
        engine.start()
        await settled(lambda: not engine._leisure.growing and not engine._leisure.filling)
        before, pool = engine.samplers, engine.pool
        engine.exchange([same, new])
        assert engine.samplers["same"] is before["same"]
        assert engine.samplers["other"] is not before["other"]
        assert engine.pool is pool
        assert engine.take(same, 5)
        await settled(lambda: not engine._leisure.filling)
        assert len(pool) == 40
        engine.stop()

    asyncio.run(ask())


def test_another_default_model_gets_a_tree_and_a_pool_of_its_own(make: Make) -> None:
    old, new = make("tiny", 1), make("tiny", 2)

    async def ask() -> None:
        engine = Engine([old], 10, 100_000, default="tiny", pool_names=40)
        engine.start()
        await settled(lambda: not engine._leisure.growing and not engine._leisure.filling)
        engine.exchange([new])
        assert engine.take(old, 5) is None
        await settled(lambda: engine.samplers["tiny"].grown and len(engine.pool))
        taken = engine.take(new, 5)
        assert taken
        names = [drawn.name for drawn in alone(new, taken.request).names]
        assert taken.names == b",".join(b'"%s"' % name.encode() for name in names)
        engine.stop()

    asyncio.run(ask())


def test_what_was_counted_of_a_model_goes_on_when_it_is_exchanged(make: Make) -> None:
    old, new = make("tiny", 1), make("tiny", 2)

    async def ask() -> None:
        engine = Engine([old], 10)
        engine.start()
        await engine.generate(old, SHORT)
        engine.exchange([new])
        await engine.generate(new, SHORT)
        assert engine.samplers["tiny"].tally.names == 40
        engine.stop()

    asyncio.run(ask())


def test_a_model_that_no_one_holds_any_more_leaves_the_memory(make: Make) -> None:
    models = [make("tiny", 1), make("tiny", 2)]
    gone = weakref.ref(models[0].model)

    async def ask() -> None:
        engine = Engine(models[:1], 10, 100_000, default="tiny", pool_names=40)
        engine.start()
        await engine.generate(models[0], LONG)
        engine.exchange(models[1:])
        del models[0]
        await engine.generate(models[0], SHORT)
        gc.collect()
        assert gone() is None
        engine.stop()

    asyncio.run(ask())


def test_a_device_that_is_lost_is_told_and_another_one_serves_on(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_cpu = make("tiny", 1)
    lost = replace(on_cpu, device="cuda")  # in name: there is none here
    told: list[None] = []

    def fail(*_: Any) -> None:
        raise torch.AcceleratorError("CUDA error: an illegal memory access was encountered")

    async def ask() -> None:
        engine = Engine([lost], 10)
        engine.on_lost = lambda: told.append(None)
        engine.start()
        with monkeypatch.context() as broken:
            broken.setattr(type(lost.model), "step", fail)
            broken.setattr(lanes, "device_works", lambda device: device == "cpu")
            with pytest.raises(DeviceLostError, match="cuda"):
                await engine.generate(lost, SHORT)
        await settled(lambda: told)
        with pytest.raises(EngineStoppedError, match="device"):
            await engine.generate(lost, SHORT)
        engine.exchange([on_cpu])
        assert await engine.generate(on_cpu, SHORT) == alone(on_cpu, SHORT)
        engine.stop()

    asyncio.run(ask())


def test_a_model_that_fails_on_a_device_that_works_does_not_lose_it(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = replace(make("tiny", 1), device="cuda")

    async def ask() -> None:
        engine = Engine([served], 10)
        engine.start()
        with monkeypatch.context() as broken:
            broken.setattr(type(served.model), "step", lambda *_: 1 / 0)
            broken.setattr(lanes, "device_works", lambda device: True)
            with pytest.raises(ZeroDivisionError):
                await engine.generate(served, SHORT)
        assert await engine.generate(served, SHORT) == alone(served, SHORT)
        engine.stop()

    asyncio.run(ask())


def test_the_cpu_works_and_what_is_not_there_does_not() -> None:
    assert lanes.device_works("cpu")
    if not torch.cuda.is_available():
        assert not lanes.device_works("cuda")

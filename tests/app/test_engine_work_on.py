"""Several pieces of work for one request: one place in the queue, all or nothing."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from app.catalog import ServedModel
from app.engine import Engine
from app.errors import DeadlineExceededError, OverloadedError
from models.checkpoint import load_checkpoint
from models.completion import CompletionJob
from models.generation import generate
from models.request import GenerationRequest, Job
from models.score import Scoring
from models.scoring import score

LONG = GenerationRequest(1, n=10_000)


@pytest.fixture
def served(make_checkpoint: Callable[..., Path]) -> ServedModel:
    return ServedModel("tiny", load_checkpoint(make_checkpoint("transformer")), "cpu")


def job(served: ServedModel, request: GenerationRequest) -> Job:
    return Job(request, served.model, served.checkpoint.vocabulary)


def test_many_works_have_one_place_and_come_back_in_order(served: ServedModel) -> None:
    both = served.model, served.checkpoint.vocabulary
    requests = [GenerationRequest(seed, n=30) for seed in range(20)]

    async def ask() -> None:
        engine = Engine([served], queue_size=1)
        engine.start()
        works = [*(job(served, request) for request in requests), Scoring(*both, ["ab", "c"])]
        answer = asyncio.create_task(engine.work_on(served, works))
        await asyncio.sleep(0)
        with pytest.raises(OverloadedError):
            await engine.score(served, ["ab"], "words")
        *names, scores = await answer
        assert names == [generate(*both, request) for request in requests]
        assert scores == score(*both, ["ab", "c"])
        assert await engine.score(served, ["ab"], "words") == score(*both, ["ab"])
        engine.stop()

    asyncio.run(ask())


def test_works_that_no_one_awaits_any_more_are_all_dropped(served: ServedModel) -> None:
    async def ask() -> None:
        engine = Engine([served], queue_size=1)
        engine.start()
        for _ in range(5):
            works = [job(served, LONG) for _ in range(8)]
            answer = asyncio.create_task(engine.work_on(served, works))
            await asyncio.sleep(0.01)
            answer.cancel()
            with pytest.raises(asyncio.CancelledError):
                await answer
        assert len((await engine.generate(served, GenerationRequest(1, n=5))).names) == 5
        engine.stop()
        assert not engine._busy

    asyncio.run(ask())


def test_works_past_their_deadline_fail_together(served: ServedModel) -> None:
    async def ask() -> None:
        engine = Engine([served], queue_size=1, deadline_s=0.05)
        engine.start()
        with pytest.raises(DeadlineExceededError, match=r"in 0\.05 s"):
            await engine.work_on(served, [job(served, LONG) for _ in range(8)])
        engine.stop()

    asyncio.run(ask())


def test_a_model_that_fails_fails_them_all_once(
    served: ServedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = served.model, served.checkpoint.vocabulary

    async def ask() -> None:
        engine = Engine([served], queue_size=1)
        engine.start()
        monkeypatch.setattr(type(served.model), "step", lambda *_: 1 / 0)
        works = [CompletionJob(GenerationRequest(i, n=3), [1], 4, *both) for i in range(4)]
        with pytest.raises(ZeroDivisionError):
            await engine.work_on(served, works)
        monkeypatch.undo()
        (found,) = await engine.work_on(
            served, [CompletionJob(GenerationRequest(1, n=3), [1], 4, *both)]
        )
        assert len(found.names) == 3
        engine.stop()

    asyncio.run(ask())

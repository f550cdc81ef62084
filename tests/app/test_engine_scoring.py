"""Scorings of many requests in one engine."""

import asyncio
import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from app.catalog import ServedModel
from app.engine import Engine
from models.checkpoint import load_checkpoint
from models.request import GenerationRequest
from models.scoring import score

LONG = ["".join(word) for word in itertools.product("abcdefg", repeat=4)][:1000]


@pytest.fixture
def served(make_checkpoint: Callable[..., Path]) -> ServedModel:
    return ServedModel("tiny", load_checkpoint(make_checkpoint("transformer")), "cpu")


def test_scores_of_many_requests_are_those_of_each_alone(served: ServedModel) -> None:
    lists = [LONG[i::40] + LONG[:i] for i in range(40)]

    async def ask() -> list[object]:
        engine = Engine([served], 100, tree_bytes=20_000, default=served.id)
        engine.start()
        asked = [engine.score(served, words, "words") for words in lists]
        names = [engine.generate(served, GenerationRequest(seed, 20)) for seed in range(10)]
        answers = await asyncio.gather(*asked, *names)
        engine.stop()
        return list(answers[: len(lists)])

    alone = [score(served.model, served.checkpoint.vocabulary, words) for words in lists]
    assert asyncio.run(ask()) == alone


def test_a_short_list_is_answered_before_a_long_one_that_came_first(served: ServedModel) -> None:
    async def ask() -> list[int]:
        engine = Engine([served], 10)
        engine.start()
        order: list[int] = []

        async def scored(words: list[str]) -> None:
            await engine.score(served, words, "words")
            order.append(len(words))

        await asyncio.gather(scored(LONG), scored(LONG), scored(["ab"]))
        engine.stop()
        return order

    assert asyncio.run(ask()) == [1, 1000, 1000]


def test_a_scoring_that_no_one_awaits_any_more_is_dropped(served: ServedModel) -> None:
    async def ask() -> None:
        engine = Engine([served], queue_size=10)
        engine.start()
        task = asyncio.create_task(engine.score(served, LONG * 100, "words"))
        while not engine._busy:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        (found,) = await engine.score(served, ["ab"], "words")
        assert found.word == "ab"
        assert not engine._busy
        engine.stop()

    asyncio.run(ask())

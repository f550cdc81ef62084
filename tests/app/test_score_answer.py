"""The answer of /score, as it is written."""

import asyncio
import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
from fastapi.responses import JSONResponse

from app.catalog import ServedModel
from app.routes.score import _SLICE, _answer
from models.checkpoint import load_checkpoint
from models.score import Score


@pytest.fixture
def served(make_checkpoint: Callable[..., Path]) -> ServedModel:
    return ServedModel("tiny", load_checkpoint(make_checkpoint("bigram")), "cpu")


def test_an_answer_is_the_json_that_the_framework_would_write(served: ServedModel) -> None:
    scores = [
        Score("aé", (0.5, 1e-9, 2.25), (1, 1, 7)),
        Score("가", (math.inf, 700.1), (9, 2)),
        Score("ab", (0.1, 0.2, 0.3), (1, 2, 3)),
    ]
    body = bytes(asyncio.run(_answer(served, scores)).body)
    answer = json.loads(body)
    assert JSONResponse(answer).body == body
    assert list(answer) == ["results", "model", "fingerprint"]
    first, impossible, trained = answer["results"]
    assert first["characters"][1] == {
        "character": "é", "nll": 1e-9, "probability": math.exp(-1e-9), "rank": 1,
    }  # fmt: skip
    assert [one["character"] for one in first["characters"]] == ["a", "é", ""]
    assert impossible["nll"] is impossible["perplexity"] is impossible["bits_per_char"] is None
    assert [one["in_training"] for one in (first, trained)] == [False, True]


def test_others_have_their_turn_while_a_long_answer_is_written(served: ServedModel) -> None:
    scores = [Score("abcdefg", (1.0,) * 8, (1,) * 8)] * 1000
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def write() -> None:
        beside = asyncio.create_task(others())
        await _answer(served, scores)
        beside.cancel()

    asyncio.run(write())
    assert turns >= 8 * len(scores) // _SLICE

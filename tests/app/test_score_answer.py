"""The answer of /score, as it is written."""

import asyncio
import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi.responses import JSONResponse

from app.catalog import ServedModel
from app.routes.score import _SLICE, _answer
from models.checkpoint import load_checkpoint
from models.held_out import HeldOut
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
    body = bytes(asyncio.run(_answer(served, [score.word for score in scores], scores)).body)
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
    assert [one["percentile"] for one in answer["results"]] == [None] * 3  # no names held out


def test_percentiles_are_told_to_one_digit_and_the_impossible_has_0(served: ServedModel) -> None:
    among = HeldOut.of("clean", ("dev", "test"), False, [(2, 1.0), (2, 2.0), (3, 3.0)])
    knowing = replace(served, checkpoint=replace(served.checkpoint, held_out=among))
    scores = [
        Score("ab", (1.5,) * 3, (1, 1, 1)),
        Score("ab", (math.inf,) * 3, (8, 8, 8)),
        Score("ab", (0.5,) * 3, (1, 1, 1)),
    ]
    answer = asyncio.run(_answer(knowing, ["ab"] * 3, list(scores)))
    found = [one["percentile"] for one in json.loads(bytes(answer.body))["results"]]
    assert found == [{"overall": percent, "like_length": percent} for percent in (66.7, 0.0, 100.0)]


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
        await _answer(served, ["abcdefg"] * len(scores), scores)
        beside.cancel()

    asyncio.run(write())
    assert turns >= 8 * len(scores) // _SLICE

"""GET and POST /score: how surprised a model is by given words."""

import asyncio
import math
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from app.catalog import ServedModel
from app.dependencies import (
    CurrentCatalog,
    CurrentEngine,
    check_media_type,
    check_query,
    while_connected,
)
from app.encoding import encode
from app.errors import shorten
from app.openapi import problems
from app.schemas import finite
from app.score_schemas import ScoreAnswer, ScoreBody, ScoreQuery
from app.strict_json import StrictJSONRoute
from models.errors import ParameterError
from models.held_out import HeldOut
from models.score import Score

router = APIRouter(tags=["scores"], route_class=StrictJSONRoute)

_SLICE = 1000
"""Characters of an answer that are written at a time, about: two milliseconds."""


@router.get(
    "/score",
    summary="Score words",
    operation_id="score",
    response_model=ScoreAnswer,
    responses=problems(404, 409, 503, 504),
    dependencies=[Depends(check_query("word"))],
)
async def score(
    request: Request,
    query: Annotated[ScoreQuery, Query()],
    catalog: CurrentCatalog,
    engine: CurrentEngine,
) -> Response:
    """The negative log-likelihood of each word, character by character, in nats.

    Of several words, one that cannot be scored has an error in its place; alone it is a 422.
    """
    served = catalog.find(query.model, pinned=query.fingerprint)
    scores = await while_connected(request, engine.score(served, query.word, "word"))
    return await _answer(served, query.word, scores)


@router.post(
    "/score",
    summary="Score many words",
    operation_id="score_many",
    response_model=ScoreAnswer,
    responses=problems(404, 409, 413, 415, 503, 504),
    dependencies=[Depends(check_query(none=True)), Depends(check_media_type)],
)
async def score_many(
    request: Request, body: ScoreBody, catalog: CurrentCatalog, engine: CurrentEngine
) -> Response:
    """The same for a list in a JSON body."""
    served = catalog.find(body.model, pinned=body.fingerprint)
    scores = await while_connected(request, engine.score(served, body.words, "words"))
    return await _answer(served, body.words, scores)


async def _answer(
    served: ServedModel, words: list[str], scores: list[Score | ParameterError]
) -> Response:
    """JSON, written in slices: others are answered in between."""
    results: list[str] = []
    written = 0
    for word, found in zip(words, scores, strict=True):
        if isinstance(found, ParameterError):
            results.append(encode(_faulty_word(word, found)))
            written += 1
        else:
            results.append(encode(_word(served, found)))
            written += len(found.nlls)
        if written >= _SLICE:
            written = 0
            await asyncio.sleep(0)
    rest = encode({"model": served.id, "fingerprint": served.checkpoint.fingerprint})
    content = f'{{"results":[{",".join(results)}],{rest[1:]}'
    return Response(content, media_type="application/json")


def _in_training(served: ServedModel, word: str) -> bool | None:
    """Whether the model was fitted on this name; None where it was fitted on running text."""
    names = served.checkpoint.training_names
    return word in names if served.checkpoint.vocabulary.ends else None


def _percentile(held_out: HeldOut | None, found: Score) -> dict[str, float] | None:
    if held_out is None:
        return None
    exact = held_out.percentiles(len(found.word), found.nll_per_char)
    return {"overall": round(exact.overall, 1), "like_length": round(exact.like_length, 1)}


def _faulty_word(word: str, fault: ParameterError) -> dict[str, Any]:
    return {
        "word": word and shorten(word),
        "error": {"parameter": fault.parameter, "message": fault.message},
    }


def _word(served: ServedModel, found: Score) -> dict[str, Any]:
    per_char = found.nll_per_char
    return {
        "word": found.word,
        "nll": finite(found.nll),
        "nll_per_char": finite(per_char),
        "perplexity": finite(math.exp(per_char) if per_char < 700 else math.inf),
        "bits_per_char": finite(per_char / math.log(2)),
        "in_training": _in_training(served, found.word),
        "percentile": _percentile(served.checkpoint.held_out, found),
        "characters": [
            {"character": character, "nll": finite(nll), "probability": probability, "rank": rank}
            for character, nll, probability, rank in zip(
                found.characters, found.nlls, found.probabilities, found.ranks, strict=True
            )
        ],
    }

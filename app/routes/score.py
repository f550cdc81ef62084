"""GET and POST /score: how surprised a model is by given words."""

import math
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse

from app.catalog import ServedModel
from app.dependencies import (
    CurrentCatalog,
    CurrentEngine,
    check_media_type,
    check_query,
    while_connected,
)
from app.schemas import ScoreAnswer, ScoreBody, ScoreQuery, finite
from app.strict_json import StrictJSONRoute
from models.scoring import CharacterScore, Score

router = APIRouter(tags=["scores"], route_class=StrictJSONRoute)


@router.get(
    "/score",
    summary="Score words",
    operation_id="score",
    response_model=ScoreAnswer,
    dependencies=[Depends(check_query("word"))],
)
async def score(
    request: Request,
    query: Annotated[ScoreQuery, Query()],
    catalog: CurrentCatalog,
    engine: CurrentEngine,
) -> JSONResponse:
    """The negative log-likelihood of each word, character by character, in nats."""
    served = catalog.find(query.model)
    return _answer(served, await while_connected(request, engine.score(served, query.word, "word")))


@router.post(
    "/score",
    summary="Score many words",
    operation_id="score_many",
    response_model=ScoreAnswer,
    dependencies=[Depends(check_query(none=True)), Depends(check_media_type)],
)
async def score_many(
    request: Request, body: ScoreBody, catalog: CurrentCatalog, engine: CurrentEngine
) -> JSONResponse:
    """The same for a list in a JSON body."""
    served = catalog.find(body.model)
    return _answer(
        served, await while_connected(request, engine.score(served, body.words, "words"))
    )


def _answer(served: ServedModel, scores: list[Score]) -> JSONResponse:
    return JSONResponse(
        {
            "results": [_word(found, _in_training(served, found.word)) for found in scores],
            "model": served.id,
            "fingerprint": served.checkpoint.fingerprint,
        }
    )


def _in_training(served: ServedModel, word: str) -> bool | None:
    """Whether the model was fitted on this name; None where it was fitted on running text."""
    names = served.checkpoint.training_names
    return word in names if served.checkpoint.vocabulary.ends else None


def _word(found: Score, in_training: bool | None) -> dict[str, Any]:
    per_char = found.nll_per_char
    return {
        "word": found.word,
        "nll": finite(found.nll),
        "nll_per_char": finite(per_char),
        "perplexity": finite(math.exp(per_char) if per_char < 700 else math.inf),
        "bits_per_char": finite(per_char / math.log(2)),
        "in_training": in_training,
        "characters": [_character(character) for character in found.characters],
    }


def _character(character: CharacterScore) -> dict[str, Any]:
    return {
        "character": character.character,
        "nll": finite(character.nll),
        "probability": character.probability,
        "rank": character.rank,
    }

"""GET /next: what comes after a prefix, and how likely it is."""

from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Depends, Query, Request, Response

from app.caching import is_known, settled
from app.catalog import ServedModel
from app.dependencies import CurrentCatalog, CurrentEngine, check_query, while_connected
from app.encoding import encode
from app.next_schemas import NextAnswer, NextQuery
from app.openapi import NOT_MODIFIED, problems
from app.schemas import finite
from models.prediction import Prediction, reshaped
from models.sampling import SamplingParams
from models.vocabulary import BOUNDARY, normalize

router = APIRouter(tags=["scores"])


@router.get(
    "/next",
    summary="Predict the next character",
    operation_id="next",
    response_model=NextAnswer,
    responses=NOT_MODIFIED | problems(404, 409, 503, 504),
    dependencies=[Depends(check_query())],
)
async def next_character(
    http: Request,
    query: Annotated[NextQuery, Query()],
    catalog: CurrentCatalog,
    engine: CurrentEngine,
) -> Response:
    """The distribution of the character after a prefix, likeliest first.

    Without sampling parameters it is the model's own, with the numbers of /score; with them
    it is what /generate draws from.
    """
    served = catalog.find(query.model, pinned=query.fingerprint)
    prediction = Prediction(served.model, served.checkpoint.vocabulary, query.prefix)
    applied = {
        "model": served.id,
        "fingerprint": served.checkpoint.fingerprint,
        "prefix": normalize(query.prefix),
        "temperature": query.temperature,
        "top_k": query.top_k,
        "top_p": query.top_p,
        "min_p": query.min_p,
        "top": query.top,
    }
    headers = settled(query.fingerprint, "next", applied)
    if is_known(http, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    await while_connected(http, engine.work_on(served, [prediction]))
    content = encode(applied | {"characters": _characters(query, served, prediction)})
    return Response(content, headers=headers, media_type="application/json")


def _characters(
    query: NextQuery, served: ServedModel, prediction: Prediction
) -> list[dict[str, Any]]:
    sampling = SamplingParams(query.temperature, query.top_k, query.top_p, query.min_p)
    probs, nlls = reshaped(prediction.log_probs, sampling)
    vocabulary = served.checkpoint.vocabulary
    order = np.argsort(-np.array(probs), kind="stable")
    if not vocabulary.ends:
        order = order[order != BOUNDARY]
    characters = ("", *vocabulary.characters)
    return [
        {"character": characters[i], "probability": probs[i], "nll": finite(nlls[i])}
        for i in order[: query.top].tolist()
    ]

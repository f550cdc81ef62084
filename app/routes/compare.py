"""GET /compare: the same random numbers through several models, side by side."""

import asyncio
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Query, Request, Response

from app.caching import NOT_KEPT, is_known, settled
from app.catalog import Catalog, ServedModel
from app.compare_schemas import CompareAnswer, CompareQuery
from app.dependencies import CurrentCatalog, CurrentEngine, check_query, while_connected
from app.encoding import encode
from app.engine import Engine
from app.names_query import as_applied, to_request
from app.openapi import NOT_MODIFIED, problems
from app.schemas import GenerateQuery
from models.errors import ParameterError
from models.randomness import draw_seed
from models.request import Generated, GenerationRequest

router = APIRouter(tags=["names"])

T = TypeVar("T")

_OWN = ("model", "fingerprint", "max_length")
"""What of the parameters as applied differs between models."""


@router.get(
    "/compare",
    summary="Compare models",
    operation_id="compare",
    response_model=CompareAnswer,
    responses=NOT_MODIFIED | problems(404, 503, 504),
    dependencies=[Depends(check_query())],
)
async def compare(
    http: Request,
    query: Annotated[CompareQuery, Query()],
    catalog: CurrentCatalog,
    engine: CurrentEngine,
) -> Response:
    """The names of one seed by each model of names, as /generate gives them.

    All models draw with the same random numbers: what differs is what they make of them.
    """
    asked = _asked(catalog, query.models)
    seed = str(draw_seed()) if query.seed is None else query.seed
    names = GenerateQuery.model_construct(**query.model_dump(exclude={"models"}) | {"seed": seed})
    requests = [replace(to_request(names, served), n=query.n) for served in asked]
    pairs = list(zip(asked, requests, strict=True))
    applied = [as_applied(names, served, request) for served, request in pairs]
    headers = {"Cache-Control": NOT_KEPT}
    if query.seed is not None:
        headers = settled(None, "compare", applied)
        if is_known(http, headers["ETag"]):
            for served, request in pairs:
                with _naming(served):
                    served.job(request)  # refuses what cannot be
            return Response(status_code=304, headers=headers)
    works = [_generate(engine, served, request) for served, request in pairs]
    answers = await while_connected(http, together(works))
    shared = {key: value for key, value in applied[0].items() if key not in _OWN}
    models = [_entry(*pair) for pair in zip(applied, answers, strict=True)]
    content = encode(shared | {"models": models})
    return Response(content, headers=headers, media_type="application/json")


async def together(works: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """The results of all works, done side by side; when one fails, the others are cancelled."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)  # until their places in the queue are free


def _asked(catalog: Catalog, ids: str | None) -> list[ServedModel]:
    """The models of these ids, all that are of names for None, in the order of the catalog.

    Raises:
        ModelNotFoundError: one is not served.
        ParameterError: one is given twice or is of running text, or there is none.
    """
    of_names = [served for served in catalog.models.values() if served.checkpoint.vocabulary.ends]
    known = [served.id for served in of_names]
    asked = known if ids is None else ids.split(",")
    for model_id in asked:
        if catalog.find(model_id, "models").id not in known:
            allowed = ", ".join(known) or "none is served here"
            raise ParameterError("models", f"{model_id} is no model of names; allowed: {allowed}")
    if len(set(asked)) < len(asked):
        raise ParameterError("models", "has a model twice; allowed: once")
    if not asked:
        raise ParameterError("models", "there is nothing to compare: no model of names is served")
    return [served for served in of_names if served.id in asked]


async def _generate(engine: Engine, served: ServedModel, request: GenerationRequest) -> Generated:
    with _naming(served):
        return await engine.generate(served, request)


@contextmanager
def _naming(served: ServedModel) -> Iterator[None]:
    """What does not fit a model is told with its id."""
    try:
        yield
    except ParameterError as error:
        message = f"{error.message} (model {served.id})"
        raise ParameterError(error.parameter, message) from error


def _entry(applied: dict[str, Any], generated: Generated) -> dict[str, Any]:
    return {key: applied[key] for key in _OWN} | {
        "names": [drawn.name for drawn in generated.names],
        "next_offset": generated.next_offset,
        "exhausted": generated.exhausted,
    }

"""GET /v1/models: what is served, in OpenAI's shape."""

from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Depends, Request, Response

from app.caching import current
from app.catalog import ServedModel
from app.completion_schemas import OpenAIModelAnswer, OpenAIModelsAnswer, OpenAIProblem
from app.dependencies import CurrentCatalog, PathModelId, check_query
from app.openapi import ANY_OPERATION, NOT_MODIFIED, problems

router = APIRouter(
    tags=["OpenAI"],
    dependencies=[Depends(check_query(none=True))],
    responses=NOT_MODIFIED | problems(*ANY_OPERATION, model=OpenAIProblem),
)


@router.get(
    "/v1/models",
    summary="List models, for OpenAI's clients",
    operation_id="openai_models",
    response_model=OpenAIModelsAnswer,
)
async def list_models(request: Request, catalog: CurrentCatalog) -> Response:
    """Every served model; /models says more of each."""
    data = [_describe(served) for served in catalog.models.values()]
    return current(request, {"object": "list", "data": data})


@router.get(
    "/v1/models/{model_id}",
    summary="Describe a model, for OpenAI's clients",
    operation_id="openai_model",
    response_model=OpenAIModelAnswer,
    responses=problems(404, model=OpenAIProblem),
)
async def describe_model(
    request: Request, model_id: PathModelId, catalog: CurrentCatalog
) -> Response:
    """One model, as in the list."""
    return current(request, _describe(catalog.find(model_id, "model_id")))


def _describe(served: ServedModel) -> dict[str, Any]:
    return {
        "id": served.id,
        "object": "model",
        "created": _created(served.checkpoint.metadata.training.get("date")),
        "owned_by": "namewright",
    }


def _created(date: object) -> int:
    """Seconds since 1970 of a day of a training record; 0 where there is none."""
    try:
        return int(datetime.fromisoformat(str(date)).replace(tzinfo=UTC).timestamp())
    except ValueError:
        return 0

"""GET /models: what is served."""

from typing import Any

from fastapi import APIRouter, Depends, Request, Response

from app.caching import current
from app.catalog import ServedModel
from app.dependencies import CurrentCatalog, PathModelId, check_query
from app.openapi import NOT_MODIFIED, problems
from app.schemas import GenerateQuery, ModelAnswer, ModelsAnswer

router = APIRouter(tags=["models"], dependencies=[Depends(check_query(none=True))])

_NOT_A_DEFAULT = ("model", "seed", "max_length", "safe", "format", "fingerprint")


@router.get(
    "/models",
    summary="List models",
    operation_id="models",
    response_model=ModelsAnswer,
    responses=NOT_MODIFIED,
)
async def list_models(request: Request, catalog: CurrentCatalog) -> Response:
    """Every served model with its hyperparameters, its NLLs, and how it was trained."""
    return current(
        request,
        {
            "default": catalog.default,
            "models": [_describe(served) for served in catalog.models.values()],
        },
    )


@router.get(
    "/models/{model_id}",
    summary="Describe a model",
    operation_id="model",
    response_model=ModelAnswer,
    responses=NOT_MODIFIED | problems(404),
)
async def describe_model(
    request: Request, model_id: PathModelId, catalog: CurrentCatalog
) -> Response:
    """One model, as in the list."""
    return current(request, _describe(catalog.find(model_id, "model_id")))


def _describe(served: ServedModel) -> dict[str, Any]:
    checkpoint, model = served.checkpoint, served.model
    config = model.config.to_dict()
    return {
        "id": served.id,
        "kind": checkpoint.kind,
        "architecture": checkpoint.architecture,
        "hyperparameters": {name: config[name] for name in model.hyperparameters},
        "parameters": model.parameter_count,
        "vocabulary": {
            "size": len(checkpoint.vocabulary),
            "characters": "".join(checkpoint.vocabulary.characters),
        },
        "max_length": served.longest_name,
        "evaluation": checkpoint.metadata.evaluation,
        "corpus": checkpoint.metadata.corpus,
        "training": checkpoint.metadata.training,
        "fingerprint": checkpoint.fingerprint,
        "defaults": _defaults()
        | {"max_length": served.default_length, "safe": served.safe_by_default},
        "device": served.device,
        "dtype": "float64",
    }


def _defaults() -> dict[str, Any]:
    fields = GenerateQuery.model_fields
    return {name: field.default for name, field in fields.items() if name not in _NOT_A_DEFAULT}

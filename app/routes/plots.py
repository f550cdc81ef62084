"""GET /models/{id}/plots: the pictures that were drawn when a model was fitted."""

from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Path, Request, Response

from app.caching import ASKED_AGAIN, current, is_known
from app.catalog import ServedModel
from app.dependencies import CurrentCatalog, PathModelId, check_query
from app.errors import PlotNotFoundError
from app.openapi import NOT_MODIFIED, problems
from app.parameters import PATH_TEXT
from app.schemas import PlotsAnswer

router = APIRouter(tags=["models"], dependencies=[Depends(check_query(none=True))])

MEDIA_TYPE = "image/svg+xml"
_HEADERS = {
    "Cache-Control": ASKED_AGAIN,
    # A picture that is opened on its own page must not act there.
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
    "X-Content-Type-Options": "nosniff",
}


@router.get(
    "/models/{model_id}/plots",
    summary="List a model's pictures",
    operation_id="plots",
    response_model=PlotsAnswer,
    responses=NOT_MODIFIED | problems(404),
)
async def list_plots(request: Request, model_id: PathModelId, catalog: CurrentCatalog) -> Response:
    """Each picture's name, its title, and where it is."""
    served = catalog.find(model_id, "model_id")
    return current(
        request,
        {
            "model": served.id,
            "fingerprint": served.checkpoint.fingerprint,
            "plots": [_entry(served, name) for name in served.plots],
        },
    )


@router.get(
    "/models/{model_id}/plots/{name}.svg",
    summary="A picture of a model",
    operation_id="plot",
    response_class=Response,
    responses={
        200: {"content": {MEDIA_TYPE: {}}, "description": "The picture, for light and dark pages"},
    }
    | NOT_MODIFIED
    | problems(404),
)
async def plot(
    request: Request,
    model_id: PathModelId,
    name: Annotated[
        str,
        Path(
            description="A picture's name, as its model's list has it",
            examples=["nll"],
            json_schema_extra=PATH_TEXT,
        ),
    ],
    catalog: CurrentCatalog,
) -> Response:
    """An SVG drawing that follows the reader's light or dark scheme."""
    served = catalog.find(model_id, "model_id")
    found = served.plots.get(name)
    if found is None:
        raise PlotNotFoundError("name", tuple(served.plots))
    headers = _HEADERS | {"ETag": found.etag}
    if is_known(request, found.etag):
        return Response(status_code=304, headers=headers)
    return Response(found.svg, headers=headers, media_type=MEDIA_TYPE)


def _entry(served: ServedModel, name: str) -> dict[str, Any]:
    url = f"/models/{quote(served.id)}/plots/{name}.svg"
    return {"name": name, "title": served.plots[name].title, "url": url}

"""POST /generate: the same as GET, for what does not fit into an address."""

from fastapi import APIRouter, Depends, Request, Response

from app.answer_formats import DESCRIBED
from app.dependencies import check_media_type, check_query
from app.generate_body import GenerateBody
from app.openapi import problems
from app.routes.generate import generate
from app.schemas import GenerateAnswer
from app.strict_json import StrictJSONRoute

router = APIRouter(tags=["names"], route_class=StrictJSONRoute)


@router.post(
    "/generate",
    summary="Generate names, asked for in a body",
    operation_id="generate_many",
    response_model=GenerateAnswer,
    responses=DESCRIBED | problems(404, 406, 409, 413, 415, 503, 504),
    dependencies=[Depends(check_query(none=True)), Depends(check_media_type)],
)
async def generate_many(request: Request, body: GenerateBody) -> Response:
    """The same for parameters in a JSON body, numbers as JSON numbers."""
    return await generate(request, body)

"""GET /names/{key}: the same key always gets the same name."""

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from app.caching import settled, unless_known
from app.dependencies import CurrentCatalog, CurrentEngine, check_query, while_connected
from app.encoding import encode
from app.key_schemas import Key, KeyAnswer, KeyQuery
from app.keys import seed_from_key
from app.names_query import as_applied, settling, to_request
from app.openapi import NOT_MODIFIED, problems
from app.schemas import GenerateQuery
from models.errors import ParameterError
from models.request import Generated, GeneratedName, GenerationRequest
from models.vocabulary import normalize

router = APIRouter(tags=["names"])


@router.get(
    "/names/{key:path}",
    summary="Name a key",
    operation_id="name",
    response_model=KeyAnswer,
    responses=NOT_MODIFIED | problems(404, 409, 503, 504),
    dependencies=[Depends(check_query())],
)
async def name(
    http: Request,
    key: Key,
    query: Annotated[KeyQuery, Query()],
    catalog: CurrentCatalog,
    engine: CurrentEngine,
) -> Response:
    """The name that a key stands for: a pseudonym that needs no table.

    It is the first one that /generate gives for the `seed` of the answer. Different keys may
    get the same name.
    """
    seed = seed_from_key(key)
    served = catalog.find(query.model, pinned=query.fingerprint)
    asked = GenerateQuery.model_construct(**dict(query), n=1, seed=str(seed))
    request = replace(to_request(asked, served), n=1)
    generated = await while_connected(http, engine.generate(served, request))
    drawn = _only(generated, request)
    applied = as_applied(asked, served, replace(request, offset=drawn.index))
    del applied["n"]
    answer = {"key": normalize(key), "name": drawn.name, **applied, "offset": drawn.index}
    # Only now: with some conditions a key has no name, whatever its caller has.
    return unless_known(http, settled(settling(query.fingerprint, request), answer), encode(answer))


def _only(generated: Generated, request: GenerationRequest) -> GeneratedName:
    """The name of an answer to a request for one.

    Raises:
        ParameterError: naming `key`; there is none.
    """
    if not generated.names:
        raise ParameterError(
            "key",
            f"gives no name in {request.budget} draws with this prefix, these lengths and this "
            "sampling; loosen them",
        )
    return generated.names[0]

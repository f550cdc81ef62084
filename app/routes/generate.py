"""GET /generate: seeded names."""

from dataclasses import replace
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request, Response

from app.answer_formats import DESCRIBED, bulk_format, choose_format, write_all
from app.caching import NOT_KEPT, is_known, settled
from app.catalog import Catalog, ServedModel
from app.dependencies import while_connected
from app.encoding import encode
from app.engine import Engine
from app.names_query import as_applied, in_headers, settling, to_request
from app.openapi import NOT_MODIFIED, problems
from app.pool import PooledNames
from app.query_route import QueryRoute
from app.schemas import GenerateAnswer, GenerateQuery, finite
from models.request import Generated, GenerationRequest

_POOLED = frozenset({"n", "model", "format", "fingerprint"})
"""Parameters of a request that may be answered from the pool."""
_UNSEEDED = {"Cache-Control": NOT_KEPT}
_UNSEEDED_BY_ACCEPT = _UNSEEDED | {"Vary": "Accept"}


def add_generate(app: FastAPI) -> None:
    """Add the route to the router of `app` itself, as a QueryRoute must be."""
    app.router.add_api_route(
        "/generate",
        generate,
        methods=["GET"],
        tags=["names"],
        summary="Generate names",
        operation_id="generate",
        response_model=GenerateAnswer,
        responses=DESCRIBED | NOT_MODIFIED | problems(404, 406, 409, 503, 504),
        route_class_override=QueryRoute,
    )


async def generate(http: Request, query: Annotated[GenerateQuery, Query()]) -> Response:
    """Draw names from a model. The same seed and parameters give the same names, always.

    `n=20` is the beginning of `n=100`, and `offset` jumps anywhere in the endless
    stream of a seed: an answer's `next_offset` continues it.
    """
    catalog: Catalog = http.app.state.catalog
    engine: Engine = http.app.state.engine
    served = catalog.find(query.model, pinned=query.fingerprint)
    chosen = choose_format(http, query.format)
    headers = _UNSEEDED if query.format else _UNSEEDED_BY_ACCEPT
    poolable = chosen == "json" and query.model_fields_set <= _POOLED
    if poolable and (pooled := engine.take(served, query.n)):
        return _respond(query, served, pooled.request, pooled.names, pooled, headers)
    request = replace(to_request(query, served), n=query.n, unique=query.unique)
    written = None if chosen == "json" else bulk_format(chosen, query.scores)
    if query.seed is not None and http.method == "GET":
        applied = _applied(query, served, request)
        headers = headers | settled(
            settling(query.fingerprint, request), chosen, query.scores, applied
        )
        if is_known(http, headers["ETag"]):
            served.job(request)  # refuses what cannot be
            return Response(status_code=304, headers=headers)
    generated = await while_connected(http, engine.generate(served, request))
    if written is None:
        names = encode(_names(generated, query.scores))[1:-1]
        return _respond(query, served, request, names.encode(), generated, headers)
    headers = headers | in_headers(served, request)
    headers["X-Namewright-Next-Offset"] = str(generated.next_offset)
    body = write_all(written, generated, _applied(query, served, request))
    return Response(body, headers=headers, media_type=written.media_type)


def _applied(
    query: GenerateQuery, served: ServedModel, request: GenerationRequest
) -> dict[str, Any]:
    applied = as_applied(query, served, request)
    return applied | {"unique": True} if query.unique else applied  # else as of a stream


def _names(generated: Generated, scores: bool) -> list[Any]:
    if not scores:
        return [drawn.name for drawn in generated.names]
    return [
        {"name": drawn.name, "index": drawn.index, "nll": finite(drawn.nll)}
        for drawn in generated.names
    ]


def _respond(
    query: GenerateQuery,
    served: ServedModel,
    request: GenerationRequest,
    names: bytes,
    drawn: Generated | PooledNames,
    headers: dict[str, str],
) -> Response:
    """The answer; `names` are the items of a JSON array, which the pool has ready."""
    rest = {
        **dict.fromkeys(("seed", "n", "offset")),  # their places
        "next_offset": drawn.next_offset,
        "exhausted": drawn.exhausted,
        "acceptance_rate": drawn.acceptance_rate,
        **as_applied(query, served, request),
        "offset": request.offset,
        "unique": query.unique,
    }
    body = b'{"names":[' + names + b"]," + encode(rest)[1:].encode()
    return Response(body, headers=headers, media_type="application/json")

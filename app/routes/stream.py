"""GET /generate/stream: a million names, or names without end."""

from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.responses import StreamingResponse

from app.bulk import Bulk
from app.bulk_formats import NO_MORE, Format, JsonLines, ServerSentEvents, read_event_id
from app.catalog import ServedModel
from app.dependencies import (
    CurrentCatalog,
    CurrentEngine,
    CurrentShutdown,
    check_query,
    while_connected,
)
from app.names_query import as_applied, in_headers, to_request
from app.openapi import problems
from app.stream_schemas import StreamQuery, event_schema, line_schema
from app.streaming import FIRST, NameStream
from models.errors import ParameterError

router = APIRouter(tags=["names"])

_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}  # nginx would hold it back
_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {
            JsonLines.media_type: {"schema": line_schema()},
            ServerSentEvents.media_type: {
                "schema": event_schema("JSON, as a line of application/jsonl", "start", "end")
            },
        },
        "description": "Names as they are drawn, and at the end why no more come",
    },
    204: {"description": "Nothing comes after the Last-Event-ID"},
}


@router.get(
    "/generate/stream",
    summary="Stream names",
    operation_id="stream",
    response_class=Response,
    responses=_RESPONSES | problems(404, 409, 503, 504),
    dependencies=[Depends(check_query())],
)
async def stream(
    http: Request,
    query: Annotated[StreamQuery, Query()],
    catalog: CurrentCatalog,
    engine: CurrentEngine,
    shutdown: CurrentShutdown,
    last_event_id: Annotated[
        str,
        Header(
            alias="Last-Event-ID",
            description="With format=sse: the id of an event, to go on after it",
        ),
    ] = "",
) -> Response:
    """The names of /generate, page after page, in one answer of any length.

    The last line, or event, says why it ends and where to go on; an answer without it
    was cut off, and goes on after the last index that came.
    """
    served = catalog.find(query.model, pinned=query.fingerprint)
    bulk = _bulk(query, served, last_event_id)
    if bulk is None:
        return Response(status_code=204)
    request = bulk.request(FIRST)
    first = await while_connected(http, engine.generate(served, request))
    written = _format(query, request.seed)
    about = as_applied(query, served, request)
    headers = _HEADERS | in_headers(served, request)
    body = NameStream(http, engine, shutdown, served, bulk, written, about).body(first)
    return StreamingResponse(body, 200, headers, written.media_type)


def _format(query: StreamQuery, seed: int) -> Format:
    if query.format == "sse":
        return ServerSentEvents(query.scores, seed)
    return JsonLines(query.scores)


def _bulk(query: StreamQuery, served: ServedModel, event_id: str) -> Bulk | None:
    """All that is to come, after an event that came already if there is one; None is nothing.

    Raises:
        ParameterError: the event is of another stream.
    """
    request = to_request(query, served)
    if not event_id or query.format != "sse":
        return Bulk(request, query.n)
    if event_id == NO_MORE:
        return None
    seed, index, sent = read_event_id(event_id)
    if index < query.offset or (query.seed is not None and seed != request.seed):
        raise ParameterError("Last-Event-ID", "is of an event of another stream")
    rest = Bulk(replace(request, seed=seed, offset=index + 1), query.n, sent)
    return None if rest.end else rest

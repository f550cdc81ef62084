"""POST /v1/completions: names and texts in OpenAI's shape, for its clients."""

import asyncio
import time
from typing import Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import StreamingResponse

from app.completion_answer import ChoiceWriter, usage
from app.completion_schemas import CompletionAnswer, CompletionBody, OpenAIProblem
from app.completion_stream import CompletionStream
from app.completions import Choice, Completion
from app.dependencies import (
    CurrentCatalog,
    CurrentEngine,
    CurrentShutdown,
    check_media_type,
    check_query,
    while_connected,
)
from app.encoding import encode
from app.openapi import ANY_OPERATION, problems
from app.stream_schemas import event_schema
from app.strict_json import StrictJSONRoute

router = APIRouter(tags=["OpenAI"], route_class=StrictJSONRoute)

_STREAMED: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {
            "text/event-stream": {
                "schema": event_schema("A chunk of the answer as JSON, or a problem, or [DONE]")
            }
        }
    }
}
_STREAM_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


@router.post(
    "/v1/completions",
    summary="Complete prompts",
    operation_id="completions",
    response_model=CompletionAnswer,
    responses=_STREAMED | problems(*ANY_OPERATION, 404, 413, 415, 503, 504, model=OpenAIProblem),
    dependencies=[Depends(check_query(none=True)), Depends(check_media_type)],
)
async def complete(
    http: Request,
    body: CompletionBody,
    catalog: CurrentCatalog,
    engine: CurrentEngine,
    shutdown: CurrentShutdown,
) -> Response:
    """Go on from prompts, character by character. The same seed gives the same choices, always.

    Choice i is index i of the seed's stream: the name that /generate gives there, or its
    beginning where `max_tokens` or a `stop` cuts it. With `stream` chunks come as
    server-sent events, the last of them `[DONE]`.
    """
    completion = Completion(catalog.find(body.model), body)
    writer = ChoiceWriter(completion, engine)
    about = _about(http, completion)
    if body.stream:
        stream = CompletionStream(http, engine, shutdown, completion, writer, about)
        first = await while_connected(http, stream.begin())
        return StreamingResponse(stream.body(first), 200, _STREAM_HEADERS, "text/event-stream")
    choices, written = await while_connected(http, _complete(completion, engine, writer))
    rest = encode({"usage": usage(completion, choices)})
    content = f'{encode(about)[:-1]},"choices":[{",".join(written)}],{rest[1:]}'
    return Response(content, media_type="application/json")


async def _complete(
    completion: Completion, engine: CurrentEngine, writer: ChoiceWriter
) -> tuple[list[Choice], list[str]]:
    """All choices, and the JSON of each, written one by one: others are answered in between."""
    choices = await completion.complete(engine)
    spans = [(0, len(writer.tokens(choice))) for choice in choices]
    written = []
    for choice in await writer.write(choices, spans):
        written.append(encode(choice))
        if choice["logprobs"] is not None:
            await asyncio.sleep(0)
    return choices, written


def _about(http: Request, completion: Completion) -> dict[str, Any]:
    """What the answer, or every chunk of it, says beside its choices."""
    return {
        "id": f"cmpl-{http.scope['request_id']}",
        "object": "text_completion",
        "created": int(time.time()),
        "model": completion.served.id,
        "system_fingerprint": completion.served.checkpoint.fingerprint,
        "seed": completion.seed,
        "safe_list": completion.unsafe.digest if completion.unsafe else None,
    }

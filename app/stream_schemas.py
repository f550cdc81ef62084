"""What GET /generate/stream may be asked, and what its lines look like."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from app.parameters import Integer
from app.schemas import AppliedAnswer, Fingerprint, NamesQuery, Problem

MAX_STREAMED = 10**6


class StreamQuery(NamesQuery):
    """Parameters of GET /generate/stream."""

    n: Annotated[int, Integer(1, MAX_STREAMED)] | None = Field(
        None, description="How many names; without end if not given"
    )
    format: Literal["jsonl", "sse"] = Field(
        "jsonl", description="A JSON object a line, or server-sent events"
    )
    fingerprint: Fingerprint | None = None


class StreamedName(BaseModel):
    """A line of a stream."""

    name: str
    index: int = Field(description="Its index in the stream")
    nll: float | None = Field(None, description="With scores: as in /generate")


class StreamEnd(AppliedAnswer):
    """The last line of a stream."""

    end: Literal["complete", "exhausted", "stopping", "error"] = Field(
        description="n names are there; too many draws in a row gave none; the server shuts "
        "down; the server failed"
    )
    count: int = Field(description="Names in all, of a stream that was resumed too")
    next_offset: int = Field(description="The offset that continues the stream")
    error: Problem | None = Field(None, description="What failed")
    seed: int | str = Field(description="As given; a string where JavaScript would round it")
    n: int | None = Field(description="As asked for; null without end")
    offset: int


def line_schema() -> dict[str, Any]:
    """The JSON schema of a line; it refers to that of a problem, which every answer can be."""
    lines = []
    for model in (StreamedName, StreamEnd):
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        lines.append({key: value for key, value in schema.items() if key != "$defs"})
    return {"anyOf": lines}


def event_schema(data: str, *events: str) -> dict[str, Any]:
    """The JSON schema of a server-sent event.

    Args:
        data: what its data is, in words.
        events: names that it may have, beside that of a message.
    """
    return {
        "type": "object",
        "description": "A server-sent event",
        "properties": {
            "data": {"type": "string", "description": data},
            "event": {"type": "string", "enum": ["message", *events]},
            "id": {"type": "string"},
            "retry": {"type": "integer", "description": "Milliseconds"},
        },
        "required": ["data"],
    }

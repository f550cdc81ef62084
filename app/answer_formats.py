"""In which formats names can be had, and which of them a request gets."""

from typing import Any, Literal

from fastapi import Request

from app.bulk import End
from app.bulk_formats import Csv, Format, JsonLines, Text
from app.errors import NotAcceptableError
from app.negotiation import best_media_type
from app.stream_schemas import line_schema
from models.errors import ParameterError
from models.request import Generated

FormatName = Literal["json", "text", "csv", "jsonl"]

_FORMATS: dict[str, FormatName] = {
    "application/json": "json",
    "application/jsonl": "jsonl",
    "text/plain": "text",
    "text/csv": "csv",
}
"""By media type, the first for callers who do not mind."""
_MEDIA_TYPES = tuple(_FORMATS)

_HEADERS = {
    "X-Namewright-Seed": "The seed as an integer",
    "X-Namewright-Model": "The model's id",
    "X-Namewright-Fingerprint": "The model's fingerprint",
    "X-Namewright-Next-Offset": "The offset that continues the stream",
    "X-Namewright-Safe-List": "A hash of the list that `safe` went by; without it no such header",
}
DESCRIBED: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Names, and everything needed to get them again; in other formats than "
        "JSON that is in the headers",
        "content": {
            "application/jsonl": {"schema": line_schema()},
            "text/plain": {"schema": {"type": "string"}},
            "text/csv": {"schema": {"type": "string"}},
        },
        "headers": {
            name: {"description": text, "schema": {"type": "string"}}
            for name, text in _HEADERS.items()
        },
    },
}
"""The answer beside JSON, for the OpenAPI description."""


def choose_format(http: Request, given: FormatName | None) -> FormatName:
    """The format that is `given`, or else the one that Accept likes best.

    Raises:
        NotAcceptableError: Accept takes none.
    """
    if given:
        return given
    accept = b",".join([value for name, value in http.scope["headers"] if name == b"accept"])
    if accept in (b"*/*", b""):
        return "json"
    best = best_media_type(accept.decode("latin-1"), _MEDIA_TYPES)
    if best is None:
        raise NotAcceptableError(_MEDIA_TYPES)
    return _FORMATS[best]


def bulk_format(chosen: FormatName, scores: bool) -> Format:
    """What writes a format that is not JSON.

    Raises:
        ParameterError: scores are asked for in text.
    """
    if chosen == "jsonl":
        return JsonLines(scores)
    if chosen == "csv":
        return Csv(scores)
    if scores:
        raise ParameterError("scores", "have no place in text; allowed with json, jsonl and csv")
    return Text()


def write_all(written: Format, generated: Generated, about: dict[str, Any]) -> bytes:
    """A whole answer; `about` is the request as applied."""
    end = {
        "end": End.EXHAUSTED if generated.exhausted else End.COMPLETE,
        "count": len(generated.names),
        "next_offset": generated.next_offset,
    }
    return written.begin(about) + written.names(generated.names, 0) + written.end(end | about)

"""How long an answer may be kept, and whether its caller has it already.

What a seed gives is settled before it is drawn, so the ETag of such an answer is a hash of all
that decides its bytes, and a caller who has them costs the engine nothing. What is ready anyway
is hashed itself.

Source: RFC 9110, sections 8.8.3 and 13.1.2; RFC 9111.
"""

import hashlib
from functools import cache
from importlib.metadata import version
from typing import Any

from fastapi import Request, Response
from starlette.datastructures import MutableHeaders

from app.encoding import encode

NOT_KEPT = "no-store"
"""For what no one will be given again: each answer has a seed of its own."""
KEPT_A_DAY = "public, max-age=86400"
"""For what a seed gives. Not `immutable`: the model behind an address may be replaced."""
KEPT = "public, max-age=31536000, immutable"
"""For what a seed and a fingerprint give: another model's answer is an error."""

ASKED_AGAIN = "public, max-age=0, must-revalidate"
"""For what may change with the next start, and has not as long as its ETag holds."""


def settled(fingerprint: str | None, *decisive: Any) -> dict[str, str]:
    """Headers of an answer that its parameters settle.

    Args:
        fingerprint: the one that was asked for, if one was.
        decisive: as of `etag_of`.
    """
    return {
        "Cache-Control": KEPT if fingerprint else KEPT_A_DAY,
        "ETag": etag_of(*decisive),
    }


def unless_known(request: Request, headers: dict[str, str], content: str) -> Response:
    """JSON, or a 304 where the caller has it; `headers` have its ETag."""
    if is_known(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers, media_type="application/json")


def current(request: Request, answer: Any) -> Response:
    """`answer` as JSON, or a 304 where the caller has it, of what holds until the next start."""
    content = encode(answer)
    headers = {"Cache-Control": ASKED_AGAIN, "ETag": etag_of(content)}
    return unless_known(request, headers, content)


def etag_of(*decisive: Any) -> str:
    """A strong ETag; `decisive` is all that decides the bytes, but for the code that writes them.

    Args:
        decisive: JSON values.
    """
    content = encode([_version(), *decisive]).encode()
    return f'"{hashlib.sha256(content).hexdigest()[:32]}"'


def keep_private(headers: MutableHeaders) -> None:
    """Let no cache that many share keep an answer, and none give one key's answer to another."""
    kept = headers.get("cache-control", "")
    if kept == NOT_KEPT:
        return
    headers["Cache-Control"] = kept.replace("public", "private") or "private"
    headers.add_vary_header("Authorization, X-API-Key")


def is_known(request: Request, etag: str) -> bool:
    """Whether If-None-Match names `etag`, its weak form, or anything."""
    given = ",".join(request.headers.getlist("if-none-match"))
    known = [value.strip().removeprefix("W/") for value in given.split(",")]
    return etag in known or known == ["*"]


@cache
def _version() -> str:
    return version("namewright")

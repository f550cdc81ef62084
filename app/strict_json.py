"""JSON bodies as the standard has them, on routes of this class.

The framework's reader takes NaN and repeated keys; a caller who sends either
has made a mistake and should hear of it.
"""

import json
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException


class _NotStandardError(ValueError):
    """Something that json.loads takes and the standard does not."""


class StrictJSONRequest(Request):
    """A request whose body must be standard JSON."""

    async def body(self) -> bytes:
        """The bytes of the body.

        Raises:
            HTTPException: 413; there are more than the setting `max_body_bytes` allows.
        """
        if not hasattr(self, "_body"):
            limit: int = self.app.state.max_body_bytes
            chunks, size = [], 0
            async for chunk in self.stream():
                size += len(chunk)
                if size > limit:
                    raise HTTPException(413, f"the body is too large; allowed: {limit} bytes")
                chunks.append(chunk)
            self._body = b"".join(chunks)
        return self._body

    async def json(self) -> Any:
        """The body as JSON.

        Raises:
            HTTPException: 400; it is not UTF-8, not JSON, or holds NaN, an infinity
                or a repeated key.
        """
        try:
            return json.loads(
                (await self.body()).decode(),
                parse_constant=_refuse_constant,
                object_pairs_hook=_refuse_repeats,
            )
        except UnicodeDecodeError as error:
            raise HTTPException(400, f"the body is not UTF-8 at byte {error.start}") from error
        except json.JSONDecodeError as error:
            raise HTTPException(
                400, f"the body is not JSON: {error.msg} at character {error.pos}"
            ) from error
        except _NotStandardError as error:
            raise HTTPException(400, f"the body is not JSON: {error}") from error
        except RecursionError as error:
            raise HTTPException(400, "the body is nested too deeply") from error
        except ValueError as error:  # Python's limit on the digits of an integer
            raise HTTPException(400, "the body holds a number of too many digits") from error


class StrictJSONRoute(APIRoute):
    """A route that reads its body as a StrictJSONRequest."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The framework's handler, given a StrictJSONRequest."""
        handle = super().get_route_handler()

        async def handle_strictly(request: Request) -> Response:
            return await handle(StrictJSONRequest(request.scope, request.receive))

        return handle_strictly


def _refuse_constant(name: str) -> NoReturn:
    raise _NotStandardError(f"{name} is not allowed")


def _refuse_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise _NotStandardError("a key is repeated")
    return values

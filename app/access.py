"""Who may come in: where the service has keys, those alone who send one.

Every path is closed that is not listed as open, also those where nothing is.

Source: RFC 9110, section 11.6; RFC 6750, sections 2.1 and 3. Deviation: a request that gives
two keys is answered 401 too, not 400.
"""

import logging
import re

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.caching import NOT_KEPT, keep_private
from app.errors import UnauthorizedError, problem, status_of
from app.key_ring import KeyRing

OPEN_PATHS = frozenset({"/", "/docs", "/openapi.json", "/livez", "/readyz"})
"""The page and the documentation, which say what anyone may know, and what probes ask for."""
OPEN_PREFIX = "/static/"
CALLER = "namewright.caller"
"""Key of a scope: who asks, by the hash of the key."""

_BEARER = re.compile(r"bearer +(?P<key>\S+)", re.IGNORECASE)
_CHALLENGE = 'Bearer realm="namewright"'

logger = logging.getLogger("uvicorn.error")


class AccessMiddleware:
    """Answers 401 to who sends none of the keys; keeps answers from caches that many share.

    Args:
        app: what the keys open.
        keys: loaded before the first request.
    """

    def __init__(self, app: ASGIApp, keys: KeyRing) -> None:
        self.app = app
        self._keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection; anything but HTTP passes through."""
        if scope["type"] != "http" or is_open(scope["path"]):
            return await self.app(scope, receive, send)
        try:
            self._admit(scope)
        except UnauthorizedError as error:
            challenge = _CHALLENGE + (', error="invalid_token"' if error.given else "")
            headers = {"WWW-Authenticate": challenge, "Cache-Control": NOT_KEPT}
            response = problem(Request(scope), status_of(error), str(error), headers=headers)
            return await response(scope, receive, send)

        async def send_privately(message: Message) -> None:
            if message["type"] == "http.response.start":
                keep_private(MutableHeaders(scope=message))
            await send(message)

        await self.app(scope, receive, send_privately)

    def _admit(self, scope: Scope) -> None:
        """Let a request pass.

        Raises:
            UnauthorizedError: it has no key, more than one, or none that is known.
        """
        found = self._keys.find(_key_of(Headers(scope=scope)))
        if found is None:
            raise UnauthorizedError("this is none of the service's keys", given=True)
        scope[CALLER] = found.digest.hex()
        logger.debug("request %s: key of %s", scope["request_id"], found.name or "no name")


def is_open(path: str) -> bool:
    """Whether a path needs no key."""
    return path in OPEN_PATHS or path.startswith(OPEN_PREFIX)


def _key_of(headers: Headers) -> bytes:
    """The one key that a request gives.

    Raises:
        UnauthorizedError: it gives none, or more than one, or not as it is to be given.
    """
    bearers, keys = headers.getlist("authorization"), headers.getlist("x-api-key")
    if not bearers and not keys:
        raise UnauthorizedError("a key is needed: Authorization: Bearer <key>, or X-API-Key: <key>")
    if len(bearers) > 1 or len(keys) > 1:
        raise UnauthorizedError("a key is given more than once", given=True)
    for value in bearers:
        found = _BEARER.fullmatch(value)
        if not found:
            raise UnauthorizedError("Authorization must be: Bearer <key>", given=True)
        keys.append(found["key"])
    if keys[0] != keys[-1]:
        raise UnauthorizedError("two different keys are given", given=True)
    return keys[0].encode("latin-1")  # the bytes that came

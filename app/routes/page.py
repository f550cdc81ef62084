"""GET /: the playground; GET /docs: the description of the API; the files they are made of.

Ours are served as they stand in app/pages: there is no build step. Swagger UI comes with the
package fastapi-offline. Nothing comes from another site.
"""

from functools import cache
from pathlib import Path

from fastapi import APIRouter, Request, Response
from starlette.staticfiles import StaticFiles

router = APIRouter(include_in_schema=False)

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# Swagger UI styles its elements one by one, and its icons are data.
_DOCS_POLICY = _POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'").replace(
    "blob:", "data:"
)
_HEADERS = {
    # Asked for again each time: after an update no old file meets a new one.
    "Cache-Control": "no-cache",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@router.api_route("/", methods=["GET", "HEAD"])
async def page(request: Request) -> Response:
    """The playground itself."""
    return await _serve("index.html", request)


@router.api_route("/docs", methods=["GET", "HEAD"])
async def docs(request: Request) -> Response:
    """The API's description, to read and to try."""
    return await _serve("docs.html", request, _DOCS_POLICY)


@router.api_route("/static/{name}", methods=["GET", "HEAD"])
async def static(request: Request, name: str) -> Response:
    """One of their files, with an ETag; 304 to who has it."""
    return await _serve(name, request)


async def _serve(name: str, request: Request, policy: str = _POLICY) -> Response:
    response = await _files().get_response(name, request.scope)
    response.headers.update(_HEADERS | {"Content-Security-Policy": policy})
    return response


@cache
def _files() -> StaticFiles:
    pages = Path(__file__).parent.parent / "pages"
    return StaticFiles(directory=pages, packages=[("fastapi_offline", "static")])

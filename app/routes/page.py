"""GET /: the playground, and the files of which it is made.

They are served as they stand in app/pages: there is no build step, and nothing comes from
another site.
"""

from pathlib import Path

from fastapi import APIRouter, Request, Response
from starlette.staticfiles import StaticFiles

router = APIRouter(include_in_schema=False)

_FILES = StaticFiles(directory=Path(__file__).parent.parent / "pages", check_dir=False)
_HEADERS = {
    # Small files, asked for again each time: after an update no old one meets a new one.
    "Cache-Control": "no-cache",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; img-src 'self' blob:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@router.api_route("/", methods=["GET", "HEAD"])
async def page(request: Request) -> Response:
    """The page itself."""
    return await _serve("index.html", request)


@router.api_route("/static/{name}", methods=["GET", "HEAD"])
async def static(request: Request, name: str) -> Response:
    """One of its files, with an ETag; 304 to who has it."""
    return await _serve(name, request)


async def _serve(name: str, request: Request) -> Response:
    response = await _FILES.get_response(name, request.scope)
    response.headers.update(_HEADERS)
    return response

"""GET /livez, /readyz, /version: for those who operate the service."""

import platform
from importlib.metadata import version

import torch
from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse

from app.dependencies import CurrentEngine, CurrentShutdown, check_query
from app.errors import DrainingError
from app.openapi import problems
from app.schemas import StatusAnswer, VersionAnswer
from models.checkpoint import SAMPLER_VERSION

router = APIRouter(tags=["operations"], dependencies=[Depends(check_query(none=True))])


@router.get(
    "/livez",
    summary="Alive?",
    operation_id="livez",
    response_model=StatusAnswer,
    responses=problems(503),
)
async def livez(engine: CurrentEngine) -> JSONResponse:
    """The process answers, and its engine runs; a 503 asks for its replacement."""
    engine.check_alive()
    return JSONResponse({"status": "alive"})


@router.get(
    "/readyz",
    summary="Ready?",
    operation_id="readyz",
    response_model=StatusAnswer,
    responses=problems(503),
)
async def readyz(engine: CurrentEngine, shutdown: CurrentShutdown) -> JSONResponse:
    """Models are loaded and verified: the server accepts no connection before that.

    A 503 asks for requests to be sent elsewhere: the process is about to end, or must.
    """
    if shutdown.draining:
        raise DrainingError("this process is about to end; please ask another one")
    engine.check_alive()
    return JSONResponse({"status": "ready"})


@router.get(
    "/version", summary="What runs here", operation_id="version", response_model=VersionAnswer
)
async def version_() -> JSONResponse:
    """Versions of the service, of its sampler, and of what it runs on."""
    return JSONResponse(
        {
            "version": version("namewright"),
            "sampler_version": SAMPLER_VERSION,
            "python": platform.python_version(),
            "torch": torch.__version__,
        }
    )

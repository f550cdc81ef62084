"""What routes ask for, and the checks that come before them."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Path, Request
from starlette.exceptions import HTTPException

from app.catalog import Catalog
from app.engine import Engine
from app.errors import UnsupportedMediaTypeError, shorten
from app.parameters import PATH_TEXT
from app.shutdown import Shutdown
from models.errors import ParameterError

# Dependencies are coroutines: the framework would hand any other function to a thread.


async def _engine(request: Request) -> Engine:
    engine: Engine = request.app.state.engine
    return engine


async def _catalog(request: Request) -> Catalog:
    catalog: Catalog = request.app.state.catalog
    return catalog


async def _shutdown(request: Request) -> Shutdown:
    shutdown: Shutdown = request.app.state.shutdown
    return shutdown


T = TypeVar("T")

CurrentEngine = Annotated[Engine, Depends(_engine)]
CurrentCatalog = Annotated[Catalog, Depends(_catalog)]
CurrentShutdown = Annotated[Shutdown, Depends(_shutdown)]


PathModelId = Annotated[
    str, Path(description="A model's id", examples=["bigram"], json_schema_extra=PATH_TEXT)
]


def check_query(*repeatable: str, none: bool = False) -> Callable[[Request], Awaitable[None]]:
    """A dependency that refuses what the framework lets pass in a query.

    Args:
        repeatable: parameters that may come more than once.
        none: the route takes no parameters at all.

    The dependency raises:
        ParameterError: a parameter is repeated, holds NUL, or is unknown.
    """

    async def check(request: Request) -> None:
        items = request.query_params.multi_items()
        if none and items:
            raise ParameterError(shorten(items[0][0]), "no such parameter")
        refuse_odd_items(items, *repeatable)

    return check


def refuse_odd_items(items: Sequence[tuple[str, str]], *repeatable: str) -> None:
    """Refuse what the framework lets pass among the (name, value) pairs of a query.

    Raises:
        ParameterError: a parameter that is not `repeatable` is repeated, or one holds NUL.
    """
    if len({name for name, _ in items}) < len(items):
        for name, count in Counter(name for name, _ in items).items():
            if count > 1 and name not in repeatable:
                raise ParameterError(shorten(name), f"is given {count} times; allowed: once")
    for name, value in items:
        if "\0" in value:
            raise ParameterError(shorten(name), "holds a NUL character")


async def check_media_type(request: Request) -> None:
    """Refuse a body that does not call itself JSON.

    Raises:
        UnsupportedMediaTypeError: the Content-Type is missing or another one.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise UnsupportedMediaTypeError("the body must be sent as Content-Type: application/json")


async def while_connected(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`, which is cancelled when its client goes away.

    The framework lets a handler run on for no one; its place in the queue would stay taken.

    Raises:
        HTTPException: 499, which only the log sees; the client has gone.
    """
    handler = asyncio.current_task()
    gone = False

    async def watch() -> None:
        nonlocal gone
        while (await request.receive())["type"] != "http.disconnect":
            pass
        gone = True
        if handler:
            handler.cancel()

    watcher = asyncio.create_task(watch())
    try:
        return await work
    except asyncio.CancelledError:
        if not (gone and handler):  # it is the server that shuts down
            raise
        handler.uncancel()
        raise HTTPException(499, "the client has gone") from None
    finally:
        watcher.cancel()

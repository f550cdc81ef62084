"""A route whose only parameters are one query model, called without the framework's ceremony.

It stands in the documentation like any other. But the framework resolves dependencies and
opens four exit stacks for each request, at a cost several times that of the parsing
itself (benchmarks/http.py), and a route like this has no use for them.
"""

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar, get_type_hints

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError
from starlette.types import ASGIApp, Receive, Scope, Send

from app.dependencies import refuse_odd_items

Query = TypeVar("Query", bound=BaseModel)
Endpoint = Callable[[Request, Any], Coroutine[Any, Any, Response]]


class QueryRoute(APIRoute):
    """A route of an endpoint `(http: Request, query: Annotated[Model, Query()]) -> Response`.

    It must be added to an application's own router: one that is included by another is
    called the framework's way.
    """

    def __init__(self, path: str, endpoint: Endpoint, **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        self.app = _serve(endpoint, get_type_hints(endpoint)["query"])


def parse_query(request: Request, model: type[Query]) -> Query:
    """The parameters of a request.

    Raises:
        ParameterError: one is repeated or holds NUL.
        RequestValidationError: one is unknown, missing, or out of its range.
    """
    items = request.query_params.multi_items()
    refuse_odd_items(items)
    try:
        return model.model_validate(dict(items))
    except ValidationError as error:
        faults = [fault | {"loc": ("query", *fault["loc"])} for fault in error.errors()]
        raise RequestValidationError(faults) from error


def _serve(endpoint: Endpoint, model: type[BaseModel]) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send)
        response = await endpoint(request, parse_query(request, model))
        await response(scope, receive, send)

    return app

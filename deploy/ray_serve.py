"""The service on Ray Serve: one deployment, each of whose replicas is the whole service.

    set -a; . deploy/ray.env; set +a
    serve run deploy/ray_serve.yaml

A replica answers HTTP itself, behind Serve's HAProxy (ray.env). Its settings are those of
`python -m app`, but for addresses and workers: how many replicas there are, and what they may use,
is said to Serve (ray_serve.yaml).
"""

import logging.config
import os
from contextlib import AsyncExitStack

from pydantic import ValidationError
from ray import serve
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.command_line import settings_faults
from app.logs import log_config
from app.main import create_app
from app.settings import Settings
from app.startup import StartupError
from app.tracing import tracer_provider, tracing_fault

MAX_ONGOING_REQUESTS = 4096
"""Of a replica, streams included: as many as HAProxy has connections. What is too much is for the
engine to say, whose queue is shorter and whose refusals are the service's own."""

_REQUEST_ID = b"x-request-id"

logger = logging.getLogger("uvicorn.error")


class _Loaded:
    """An application that has begun already, for Serve to call.

    Args:
        app: it.
        within: what it has begun within; left at the end.
    """

    def __init__(self, app: ASGIApp, within: AsyncExitStack) -> None:
        self._app = app
        self._within = within

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request, or the lifespan."""
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await self._within.aclose()
            return await send({"type": "lifespan.shutdown.complete"})

        async def send_without_id(message: Message) -> None:
            if message["type"] == "http.response.start":  # Serve adds the same id to every answer
                headers = [each for each in message["headers"] if each[0] != _REQUEST_ID]
                message = {**message, "headers": headers}
            await send(message)

        await self._app(scope, receive, send_without_id)


class Names:
    """A replica.

    Raises:
        StartupError: a setting is not in order.
    """

    def __init__(self) -> None:
        settings = _read_settings()
        logging.config.dictConfig(log_config(settings.log_format))
        self._log_level = settings.log_level.upper()
        logger.setLevel(self._log_level)
        if os.environ.get("RAY_SERVE_ENABLE_HA_PROXY") != "1":
            logger.warning("without deploy/ray.env: requests are lost with a replica that dies")
        self._service = create_app(settings, traces=tracer_provider(os.environ))

    async def __serve_build_asgi_app__(self) -> ASGIApp:
        """What Serve is to call, once this is made.

        It is loaded here, where Serve tells why that failed: of the start that an application makes
        by itself it tells only that it failed.

        Raises:
            NamewrightError: a checkpoint, or something else that is needed, is not in order.
        """
        within = AsyncExitStack()
        lifespan = self._service.router.lifespan_context(self._service)
        await within.enter_async_context(lifespan)
        return _Loaded(self._service, within)

    async def check_health(self) -> None:
        """As `/livez`: Serve replaces a replica of which this fails, three times in a row.

        Raises:
            EngineStoppedError: it does not draw any more.
        """
        logger.setLevel(self._log_level)  # Serve has silenced uvicorn's, which is ours too
        self._service.state.engine.check_alive()


def _read_settings() -> Settings:
    """Those of the environment, as far as they are a replica's.

    It is one process, and its metrics are a path: several on one node cannot share a port.

    Raises:
        StartupError: one is out of range, or asks for what is not installed.
    """
    try:
        settings = Settings()
    except ValidationError as error:
        faults = (each.removeprefix("error: ").strip() for each in settings_faults(error))
        raise StartupError("; ".join(faults)) from None
    if fault := tracing_fault(os.environ):
        raise StartupError(fault)
    return settings.model_copy(update={"workers": 1, "metrics_port": 0})


app = serve.deployment(
    max_ongoing_requests=MAX_ONGOING_REQUESTS,
    max_constructor_retry_count=3,  # of the first start; what is broken stays so
    graceful_shutdown_timeout_s=20,  # as NAMEWRIGHT_SHUTDOWN_TIMEOUT_S
)(serve.ingress()(Names)).bind()

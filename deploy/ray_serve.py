"""The service on Ray Serve: an application of one deployment, whose replicas each are the service.

    set -a; . deploy/ray.env; set +a
    serve run deploy/ray_serve.yaml

A replica answers HTTP itself, behind Serve's HAProxy (ray.env). Its settings are NAMEWRIGHT_
variables like everywhere; how many there are and what they may use is Serve's to say
(ray_serve.yaml).
"""

import logging
import logging.config
import os
from contextlib import AsyncExitStack

from ray import serve
from starlette.types import Message, Receive, Scope, Send

from app.errors import EngineStoppedError
from app.logs import log_config
from app.main import create_app
from app.settings import Settings
from app.startup import StartupError
from app.tracing import tracer_provider, tracing_fault

_REQUEST_ID = b"x-request-id"

logger = logging.getLogger("uvicorn.error")


class _Service:
    """The service as Serve is to call it, loaded already.

    Args:
        settings: the service's.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.app = create_app(settings, traces=tracer_provider(os.environ))
        self._within = AsyncExitStack()

    async def load(self) -> None:
        """Do what the lifespan begins with.

        Raises:
            NamewrightError: a checkpoint, or something else that is needed, is not in order.
        """
        await self._within.enter_async_context(self.app.router.lifespan_context(self.app))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request, or the lifespan."""
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await self._within.aclose()
            await send({"type": "lifespan.shutdown.complete"})
            return

        async def send_once_named(message: Message) -> None:
            # Serve gives every answer the id that it has read or drawn, and ours has the same.
            if message["type"] == "http.response.start":
                headers = [each for each in message["headers"] if each[0] != _REQUEST_ID]
                message = {**message, "headers": headers}
            await send(message)

        await self.app(scope, receive, send_once_named)


class Names:
    """A replica."""

    async def __init__(self) -> None:
        if fault := tracing_fault(os.environ):
            raise StartupError(fault)
        settings = Settings()
        logging.config.dictConfig(log_config(settings.log_format))
        self._service = _Service(settings)
        await self._service.load()

    def __serve_build_asgi_app__(self) -> _Service:
        """What Serve is to call, once this is made."""
        return self._service

    async def check_health(self) -> None:
        """As `/livez`: Serve replaces a replica that fails.

        Raises:
            EngineStoppedError: it does not draw any more.
        """
        self._service.app.state.engine.check_alive()


app = serve.deployment(
    num_replicas=2,
    max_ongoing_requests=4096,
    ray_actor_options={"num_cpus": 1},
    graceful_shutdown_timeout_s=20,
    max_constructor_retry_count=3,
)(serve.ingress()(Names)).bind()

"""Assembles the service: settings in, an ASGI application out."""

import gc
import logging
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from importlib.metadata import version

import torch
from fastapi import FastAPI
from opentelemetry.trace import TracerProvider

from app.catalog import load_catalog
from app.edge import EdgedApp, wrappers
from app.engine import Engine
from app.errors import add_error_handlers
from app.key_ring import ring_of
from app.metrics import Metrics
from app.metrics_folder import served_metrics, shared_registry
from app.openapi import PROBLEM_RESPONSES, TAGS
from app.rate_limits import limiter_of
from app.reloading import Reloader
from app.routes import (
    compare,
    completions,
    generate,
    generate_many,
    health,
    metrics,
    models,
    names,
    next_character,
    openai_models,
    page,
    plots,
    score,
    stream,
)
from app.settings import Settings
from app.shutdown import Shutdown
from app.tracing import finish_tracing, telemetry

logger = logging.getLogger("uvicorn.error")

SWITCH_INTERVAL_S = 0.0002
"""After which a thread that runs Python lets another one in. The event loop asks for that several
times a request: with Python's 5 ms it answers a quarter as many while the engine is at work."""

DESCRIPTION = """Names from character-level language models.

**The same seed gives the same names**, whatever else the server does; `n=20` is the
beginning of `n=100`; `offset` jumps anywhere in the stream. Every error is one
`application/problem+json` shape that names the parameter at fault.
"""


def create_app(
    settings: Settings,
    shutdown: Shutdown | None = None,
    turn: Callable[[], Awaitable[None]] | None = None,
    traces: TracerProvider | None = None,
) -> FastAPI:
    """The application; models are loaded when its lifespan begins.

    Args:
        settings: the service's.
        shutdown: tells it of the end of the process; None: nothing does.
        turn: awaited once all is loaded, before the application says that it has started.
        traces: where a span of each request goes; it is finished with the lifespan.
    """

    keys, limiter = ring_of(settings), limiter_of(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        if keys:
            keys.load()
        if limiter:
            limiter.load()
        torch.set_num_threads(settings.threads)
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        app.state.catalog = load_catalog(settings)
        catalog = app.state.catalog
        app.state.engine = Engine(
            catalog.models.values(),
            settings.queue_size,
            tree_bytes=settings.tree_memory_mb << 20,
            default=catalog.default,
            pool_names=settings.pool_names,
            deadline_s=settings.deadline_s,
        )
        for served in catalog.models.values():
            logger.info("serving %s on %s", served.id, served.device)
            if served.safe and not served.safe_by_default:
                logger.warning("NAMEWRIGHT_SAFE is not for running text: not for %s", served.id)
        app.state.reloader = Reloader(settings, app.state, observed)
        # Of several workers it is the parent's.
        own_port = settings.metrics_port if settings.workers == 1 else 0
        with served_metrics(settings.host, own_port, observed.registry):
            async with app.state.reloader.watch():
                if turn:
                    await turn()
                app.state.engine.start()
                observed.describe(app.state.catalog)
                # What is there by now stays: a collection that looked through it all, a hundred
                # thousands of objects, would hold up every request for 0.15 s, now and then.
                gc.collect()
                gc.freeze()
                async with observed.watch(app.state.engine):
                    yield
        app.state.engine.stop()
        finish_tracing(traces)

    observed = Metrics()
    app = EdgedApp(
        wrappers(settings, observed, keys, limiter),
        keyed=keys is not None,
        title="Namewright",
        version=version("namewright"),
        description=DESCRIPTION,
        openapi_tags=TAGS,
        lifespan=lifespan,
        docs_url=None,  # routes/page.py has it
        redoc_url=None,
        redirect_slashes=False,
        responses=PROBLEM_RESPONSES,
        telemetry=telemetry(traces),
    )
    add_error_handlers(app)
    app.state.metrics = observed
    app.state.shutdown = shutdown or Shutdown()
    app.state.shared_metrics = shared_registry()
    app.state.max_body_bytes = settings.max_body_bytes
    generate.add_generate(app)
    for module in (
        generate_many, stream, names, compare, score, next_character, models, plots, completions,
        openai_models, health, page, *([] if settings.metrics_port else [metrics]),
    ):  # fmt: skip
        app.include_router(module.router)
    return app

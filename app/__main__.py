"""python -m app: serve, as the NAMEWRIGHT_ environment says; draw names offline; make a key."""

import asyncio
import os
import signal
import sys
from contextlib import ExitStack, suppress
from typing import cast

import uvicorn
from pydantic import ValidationError
from uvicorn.config import STARTUP_FAILURE

from app import key_command
from app.limits import Limits
from app.logs import log_config
from app.protocol import ProtocolFactory
from app.settings import Settings
from app.tracing import tracing_fault
from app.workers import Workers
from models.errors import NamewrightError

HELD_UP_S = 30
"""Before a worker that says nothing counts as hung and is replaced, its requests lost: on a
machine that is short of cores a busy one can be silent for more than uvicorn's 5 seconds."""


USAGE = """usage: python -m app [serve]
       python -m app generate [options]; --help lists them
       python -m app key [name]
"""


def main(arguments: list[str]) -> int:
    """Run a command; returns the exit status, 2 for an error that is reported in a line."""
    if arguments in (["-h"], ["--help"]):
        sys.stdout.write(USAGE)
        return 0
    if arguments and arguments != ["serve"] and arguments[0] not in ("generate", "key"):
        sys.stderr.write(USAGE)
        return 2
    if arguments[:1] == ["key"]:  # also where the settings hold what must be a hash
        return key_command.run(arguments[1:])
    try:
        settings = Settings()
    except ValidationError as error:
        for fault in error.errors():
            name = "_".join(str(part) for part in fault["loc"]).upper()
            sys.stderr.write(f"error: NAMEWRIGHT_{name}: {fault['msg']}\n")
        return 2
    if arguments[:1] == ["generate"]:
        # The parent of several server processes has no use for torch, 200 MB of it.
        from app.generate_command import run

        return run(arguments[1:], settings)
    return _serve(settings)


def _serve(settings: Settings) -> int:
    """Serve until a signal; returns the exit status."""
    if fault := tracing_fault(os.environ):
        sys.stderr.write(f"error: cannot start: {fault}\n")
        return 2
    # uvicorn raises SIGTERM again once it has shut down in order; that is no failure.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    limits = Limits(
        max_body_bytes=settings.max_body_bytes,
        receive_timeout_s=settings.receive_timeout_s,
        send_timeout_s=settings.send_timeout_s,
    )
    config = uvicorn.Config(
        "app.main:create_app_from_environment",
        factory=True,
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        log_level=settings.log_level,
        log_config=log_config(settings.log_format),
        server_header=False,
        timeout_graceful_shutdown=settings.shutdown_timeout_s,
        timeout_worker_healthcheck=HELD_UP_S,
        http=cast(type[asyncio.Protocol], ProtocolFactory(limits)),  # it only calls it
        ws="none",
    )
    return _serve_alone(config) if settings.workers == 1 else _serve_by_workers(config, settings)


def _serve_alone(config: uvicorn.Config) -> int:
    server = uvicorn.Server(config)
    with suppress(KeyboardInterrupt):
        server.run()
    return 0 if server.started else STARTUP_FAILURE


def _serve_by_workers(config: uvicorn.Config, settings: Settings) -> int:
    # Here, so that one process alone does without.
    from app.metrics_folder import served_metrics, shared_metrics, shared_registry

    # uvicorn.run would return as if all were well when no worker could start.
    supervisor = Workers(config, sockets=[config.bind_socket()])
    try:
        with ExitStack() as within:
            within.enter_context(shared_metrics())
            if registry := shared_registry():
                port = settings.metrics_port
                within.enter_context(served_metrics(settings.host, port, registry))
            supervisor.run()
    except NamewrightError as error:
        sys.stderr.write(f"error: cannot start: {error}\n")
        return STARTUP_FAILURE
    failed = any(process.exitcode == STARTUP_FAILURE for process in supervisor.processes)
    return STARTUP_FAILURE if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""python -m app: serve, as the NAMEWRIGHT_ environment says; draw names offline; make a key."""

import logging.config
import os
import signal
import socket
import sys
from contextlib import ExitStack

from pydantic import ValidationError
from uvicorn.config import STARTUP_FAILURE

from app import key_command
from app.command_line import settings_faults
from app.listening import bind
from app.logs import log_config
from app.settings import Settings
from app.tracing import tracing_fault
from models.errors import NamewrightError

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
        sys.stderr.writelines(settings_faults(error))
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
    # Until there is more to end than this, and something to load again. At once: an exception in
    # the midst of an import is taken for one of its own by who can do without what is imported.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        listener = bind(settings.host, settings.port)
        return (_serve_alone if settings.workers == 1 else _serve_by_workers)(settings, listener)
    except NamewrightError as error:
        sys.stderr.write(f"error: cannot start: {error}\n")
        return STARTUP_FAILURE


def _serve_alone(settings: Settings, listener: socket.socket) -> int:
    from app.server import Server

    Server(settings).run([listener])
    return 0


def _serve_by_workers(settings: Settings, listener: socket.socket) -> int:
    # Here, so that one process alone does without.
    from app.metrics_folder import served_metrics, shared_metrics, shared_registry
    from app.workers import Workers

    logging.config.dictConfig(log_config(settings.log_format))
    logging.getLogger("uvicorn.error").setLevel(settings.log_level.upper())
    # Threads of several processes that spin while they wait for one another keep each other's
    # partners off the cores: two workers of two threads on two cores took a minute to start.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    with ExitStack() as within:
        within.enter_context(shared_metrics())
        if registry := shared_registry():
            port = settings.metrics_port
            within.enter_context(served_metrics(settings.host, port, registry))
        return Workers(settings, listener).run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

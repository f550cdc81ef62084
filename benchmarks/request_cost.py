"""What a request costs the thread of the event loop: with limits and metrics, and without them.

In process, without sockets: bytes are handed to each connection's protocol, and its answer is
dropped. Processor time of that thread alone, either kind in turn, so that others on the machine
disturb it little. Without: uvicorn's own protocol, and no metrics.

python -m benchmarks.request_cost [--rounds 40]
"""

import argparse
import asyncio
import json
import statistics
import time
from collections.abc import Iterable
from contextlib import AsyncExitStack
from functools import partial
from importlib.metadata import version
from typing import Any, cast
from unittest.mock import patch

import uvicorn
import uvloop
from fastapi import FastAPI
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from app import main as service
from app.admission import Admission
from app.connections import ProtocolFactory
from app.edge import wrappers
from app.observing import ObservingMiddleware
from app.settings import Settings
from benchmarks.machine import describe_machine
from benchmarks.protocol import KINDS, LIMITS, application

CONNECTIONS = 16
POOL_NAMES = 300_000
HEAD = " HTTP/1.1\r\nHost: 127.0.0.1:8000\r\nUser-Agent: benchmark\r\nAccept: */*\r\n"
WORDS = '{"words": ["emma"]}'
POST = f"Content-Type: application/json\r\nContent-Length: {len(WORDS)}\r\n\r\n{WORDS}"
EMPTY = {"GET, empty": f"GET /{HEAD}\r\n", "POST, empty": f"POST /{HEAD}{POST}"}
SERVICE = {
    "/livez": f"GET /livez{HEAD}\r\n",
    "/generate, pool": f"GET /generate?n=20{HEAD}\r\n",
    "/score": f"GET /score?word=emma{HEAD}\r\n",
    "POST /score": f"POST /score{HEAD}{POST}",
}
COUNT = 160
"""Requests of a round, which the pool of names can do before it is filled again."""
FILL_LIMIT_S = 60

Connections = dict[str, list[HttpToolsProtocol]]


class NoSocket(asyncio.Transport):
    """Takes what is written to it."""

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Of an address, which every connection has."""
        return {"peername": ("127.0.0.1", 1), "sockname": ("127.0.0.1", 2)}.get(name, default)

    def write(self, data: object) -> None:
        """Drop it."""
        del data

    def is_closing(self) -> bool:
        """Never."""
        return False

    def close(self) -> None:
        """No one is there."""

    def get_write_buffer_size(self) -> int:
        """All is taken."""
        return 0


NO_LIMIT = Admission(1 << 20)


def connect(app: Any, kind: str) -> HttpToolsProtocol:
    """A new connection, from nowhere."""
    protocol: Any = HttpToolsProtocol if kind == "uvicorn" else ProtocolFactory(LIMITS, NO_LIMIT)
    config = uvicorn.Config(
        app, http=protocol, ws="none", lifespan="off", log_config=None, server_header=False
    )
    config.load()
    state = ServerState()
    state.default_headers = [(b"date", b"Sat, 21 Nov 2026 00:00:00 GMT")]
    connection = protocol(config=config, server_state=state, app_state={})
    connection.connection_made(NoSocket())
    return cast(HttpToolsProtocol, connection)


async def microseconds(connections: list[HttpToolsProtocol], sent: bytes, count: int) -> float:
    """For each of `count` requests."""
    begun = time.thread_time()
    for _ in range(count // len(connections)):
        for connection in connections:
            connection.data_received(sent)
        while not all(connection.cycle.response_complete for connection in connections):
            await asyncio.sleep(0)
    return (time.thread_time() - begun) / count * 1e6


async def compare(connections: Connections, sent: bytes, rounds: int) -> dict[str, float]:
    """The medians of both, and the median of the rounds' ratios."""
    rows: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for turn in range(rounds):
        for kind in KINDS if turn % 2 else reversed(KINDS):
            rows[kind].append(await microseconds(connections[kind], sent, COUNT))
    ratios = [theirs / ours for theirs, ours in zip(rows["uvicorn"], rows["limited"], strict=True)]
    medians = {kind: statistics.median(rows[kind]) for kind in KINDS}
    return medians | {"ratio": statistics.median(ratios)}


def create_service(kind: str) -> FastAPI:
    """The service; beside uvicorn's protocol, as it would be without metrics."""

    def unobserved(*given: Any) -> list[Any]:
        return [each for each in wrappers(*given) if partial_of(each) is not ObservingMiddleware]

    settings = Settings(
        models="bigram", default_model="bigram", pool_names=POOL_NAMES, tree_memory_mb=4
    )
    with patch.object(service, "wrappers", unobserved if kind == "uvicorn" else wrappers):
        return service.create_app(settings)


def partial_of(wrapper: Any) -> Any:
    """What it makes."""
    return wrapper.func if isinstance(wrapper, partial) else wrapper


async def fill(apps: Iterable[FastAPI]) -> None:
    """Until there are all names that they keep ready."""
    deadline = time.monotonic() + FILL_LIMIT_S
    while any(len(app.state.engine.pool) < POOL_NAMES for app in apps):
        if time.monotonic() > deadline:
            raise SystemExit(f"the pools were not full after {FILL_LIMIT_S} s")
        await asyncio.sleep(0.1)


async def measure(rounds: int) -> dict[str, dict[str, float]]:
    """All requests, of the empty application and of the service."""
    results = {}
    connections = {kind: [connect(application, kind) for _ in range(CONNECTIONS)] for kind in KINDS}
    for title, sent in EMPTY.items():
        results[title] = await compare(connections, sent.encode(), rounds)
    async with AsyncExitStack() as stack:
        apps = {kind: create_service(kind) for kind in KINDS}
        for app in apps.values():
            await stack.enter_async_context(app.router.lifespan_context(app))
        connections = {
            kind: [connect(app, kind) for _ in range(CONNECTIONS)] for kind, app in apps.items()
        }
        for title, sent in SERVICE.items():
            await fill(apps.values())
            results[title] = await compare(connections, sent.encode(), rounds)
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=40)
    options = parser.parse_args()
    machine = describe_machine() | {name: version(name) for name in ("uvicorn", "httptools")}
    print(machine)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        results = runner.run(measure(options.rounds))
    print(f"{'':<18}{'uvicorn µs':>12}{'limited µs':>12}{'ratio':>8}")
    for title, row in results.items():
        figures = f"{row['uvicorn']:>12.1f}{row['limited']:>12.1f}{row['ratio']:>8.3f}"
        print(f"{title:<18}{figures}")
    print(json.dumps({"benchmark": "request_cost", "machine": machine, "results": results}))


if __name__ == "__main__":
    main()

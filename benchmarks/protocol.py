"""What the limits on connections cost: requests per second beside uvicorn's own protocol.

Two servers of one empty application, a process each, asked in turn, round after round; the
median of the ratios is what counts.

python -m benchmarks.protocol [--seconds 3] [--rounds 5]

It needs wrk.
"""

import argparse
import asyncio
import json
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import cast

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.admission import Admission
from app.connections import ProtocolFactory
from app.limits import Limits
from benchmarks.load import wrk
from benchmarks.machine import describe_machine
from benchmarks.server import free_port

ROOT = Path(__file__).parent.parent
KINDS = ("uvicorn", "limited")
CONCURRENCIES = (1, 16, 64)
START_LIMIT_S = 20
LIMITS = Limits(max_body_bytes=131_072, receive_timeout_s=10, send_timeout_s=60)
ANSWER = b'{"status":"alive"}'

Rates = dict[int, dict[str, list[float]]]


async def application(scope, receive, send):  # type: ignore[no-untyped-def]
    """As little as an answer can be."""
    del scope, receive
    headers = [(b"content-length", b"%d" % len(ANSWER)), (b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": ANSWER})


NO_LIMIT = Admission(1 << 20)


def serve(kind: str, port: int) -> None:
    """Until a signal."""
    protocol = HttpToolsProtocol if kind == "uvicorn" else ProtocolFactory(LIMITS, NO_LIMIT)
    uvicorn.run(
        application,
        port=port,
        http=cast(type[asyncio.Protocol], protocol),
        ws="none",
        lifespan="off",
        log_level="warning",
        access_log=False,  # which would hide a part of what the limits cost
        server_header=False,
    )


@contextmanager
def serving(kind: str) -> Iterator[int]:
    """A server of a kind, ready; its port."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.protocol", "--serve", kind, str(port)]
    process = subprocess.Popen(command, cwd=ROOT)
    try:
        deadline = time.monotonic() + START_LIMIT_S
        while process.poll() is None and time.monotonic() < deadline:
            with suppress(ConnectionError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.1)
        else:
            raise SystemExit(f"the server of {kind!r} did not start")
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)


def requests_per_s(port: int, concurrency: int, seconds: int) -> float:
    """By wrk; a request that fails ends the benchmark."""
    found = wrk(port, "/", seconds, concurrency)
    return found["requests"] / found["seconds"]


def measure(ports: dict[str, int], seconds: int, rounds: int) -> Rates:
    """Of both, in turn."""
    rates: Rates = {each: {kind: [] for kind in KINDS} for each in CONCURRENCIES}
    for turn in range(rounds):
        for concurrency in CONCURRENCIES:
            for kind in KINDS if turn % 2 else reversed(KINDS):
                rate = requests_per_s(ports[kind], concurrency, seconds)
                rates[concurrency][kind].append(rate)
    return rates


def summary(rates: Rates) -> dict[int, dict[str, float]]:
    """Medians, and the median of the rounds' ratios."""
    found = {}
    for concurrency, row in rates.items():
        ratios = [
            ours / theirs for ours, theirs in zip(row["limited"], row["uvicorn"], strict=True)
        ]
        medians = {kind: statistics.median(row[kind]) for kind in KINDS}
        found[concurrency] = medians | {"ratio": statistics.median(ratios)}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=3, help="of each run")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--serve", nargs=2, metavar=("KIND", "PORT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        return serve(options.serve[0], int(options.serve[1]))
    machine = describe_machine() | {name: version(name) for name in ("uvicorn", "httptools")}
    print(machine)
    with serving("uvicorn") as theirs, serving("limited") as ours:
        ports = {"uvicorn": theirs, "limited": ours}
        results = summary(measure(ports, options.seconds, options.rounds))
    print(f"{'clients':>7}{'uvicorn req/s':>16}{'limited req/s':>16}{'ratio':>8}")
    for concurrency, row in results.items():
        figures = f"{row['uvicorn']:>16,.0f}{row['limited']:>16,.0f}{row['ratio']:>8.3f}"
        print(f"{concurrency:>7}{figures}")
    print(json.dumps({"benchmark": "protocol", "machine": machine, "results": results}))


if __name__ == "__main__":
    main()

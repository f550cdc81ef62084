"""What a request costs a replica: processor seconds of the whole process, and bytes.

One real server, one worker, its trees filled for a while; wrk asks in 16 connections, once in 64,
for the more wait at once, the less each costs. Processor time is of the server's process alone, so
clients and other work on the machine count little; what a core can answer in a second is its
reciprocal. docs/scaling.md reckons with it.

Then the same with rate limits that replicas share in a Redis, and what that one is busy with.

python -m benchmarks.cost [--seconds 5] [--warm-s 60]

It needs wrk, and redis-server for the last part.
"""

import argparse
import json
import shutil
import subprocess
import tempfile
from dataclasses import dataclass

from benchmarks.load import wrk
from benchmarks.machine import describe_machine
from benchmarks.server import Server, cpu_s, free_port, serving

MODELS = "gru-ngram,bigram,transformer"
CONNECTIONS = 16


@dataclass(frozen=True)
class Kind:
    """A kind of request.

    Attributes:
        title: what it is called.
        path: what is asked for.
        seeded: whether each request has a seed of its own.
        known: whether the caller says that it has the answer.
        connections: in which wrk asks.
    """

    title: str
    path: str
    seeded: bool = False
    known: bool = False
    connections: int = CONNECTIONS


KINDS = (
    Kind("GET /livez", "/livez"),
    Kind("304, the caller has it", "/generate?n=10&seed=42", known=True),
    Kind("n=20, no seed, no pool", "/generate?n=20"),
    Kind("score of a word", "/score?word=emma"),
    Kind("bigram, n=10", "/generate?n=10&model=bigram", seeded=True),
    Kind("gru-ngram, n=1", "/generate?n=1", seeded=True),
    Kind("gru-ngram, n=10", "/generate?n=10", seeded=True),
    Kind("the same, 64 connections", "/generate?n=10", seeded=True, connections=64),
    Kind("gru-ngram, n=100", "/generate?n=100", seeded=True),
    Kind("gru-ngram, n=1000", "/generate?n=1000", seeded=True),
    Kind("transformer, n=10", "/generate?n=10&model=transformer", seeded=True),
)
POOLED = Kind("n=20, no seed: the pool", "/generate?n=20")
POOL_NAMES = 1_000_000
"""More than are asked for, in place of 100,000: what the pool gives while it has some."""
COLD = Kind("gru-ngram, n=10, no tree", "/generate?n=10", seeded=True)
UNLIMITED = Kind("bigram, score of a word", "/score?word=emma")
LIMITED = Kind("the same, limits in Redis", "/score?word=emma")


def measure(server: Server, kind: Kind, seconds: float) -> dict[str, float]:
    """Milliseconds of processor time and bytes of a request, and how many a second there were."""
    path = kind.path + "&seed=1" * kind.seeded
    size, etag = _size_and_etag(server, path)
    if kind.known:
        size, _ = _size_and_etag(server, path, etag)
    before = server.cpu_s
    found = wrk(
        server.port, kind.path, seconds, kind.connections,
        seeded=kind.seeded, etag=etag if kind.known else "",
    )  # fmt: skip
    used_s = server.cpu_s - before
    return {
        "cpu_ms": 1e3 * used_s / found["requests"],
        "requests": found["requests"],
        "requests_per_s": found["requests"] / found["seconds"],
        "cores": used_s / found["seconds"],
        "bytes": size,
    }


def shared_limits(seconds: float) -> list[tuple[Kind, dict[str, float]]]:
    """As `measure`, of services without limits and with them; `redis_ms` is Redis' own time."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        redis = subprocess.Popen(
            ["redis-server", "--port", str(port), "--dir", folder, "--save", ""],
            stdout=subprocess.DEVNULL,
        )
        storage = f"redis://127.0.0.1:{port}"
        limits = {"RATE_LIMIT": "1000000/second", "RATE_LIMIT_STORAGE": storage}
        found = []
        try:
            for kind, settings in ((UNLIMITED, {}), (LIMITED, limits)):
                with serving(MODELS="bigram", DEFAULT_MODEL="bigram", **settings) as server:
                    server.first_answer(kind.path)
                    server.await_idle(10)
                    before = cpu_s(redis.pid)
                    row = measure(server, kind, seconds)
                    row["redis_ms"] = 1e3 * (cpu_s(redis.pid) - before) / row["requests"]
                    found.append((kind, row))
        finally:
            redis.terminate()
            redis.wait()
    return found


def _size_and_etag(server: Server, path: str, known: str = "") -> tuple[int, str]:
    connection = server.connect()
    connection.request("GET", path, headers={"If-None-Match": known} if known else {})
    response = connection.getresponse()
    body = response.read()
    if response.status != (304 if known else 200):
        raise SystemExit(f"{path}: {response.status} {body[:200]!r}")
    head = sum(len(name) + len(value) + 4 for name, value in response.getheaders())
    return head + len(body), response.headers.get("etag", "")


def tell(kind: Kind, row: dict[str, float]) -> None:
    """Print a row of the table."""
    print(
        f"{kind.title:<26}{row['cpu_ms']:>8.2f}{1e3 / row['cpu_ms']:>8,.0f}/s"
        f"{row['cores']:>12.2f}{row['bytes']:>8,.0f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=5, help="of each kind")
    parser.add_argument("--warm-s", type=float, default=60, help="to fill the trees at most")
    options = parser.parse_args()
    machine = describe_machine()
    print(machine)
    results: dict[str, dict[str, float]] = {}
    with serving(MODELS=MODELS, POOL_NAMES=0) as server:
        server.first_answer("/generate?n=20&seed=42")
        full = server.await_idle(options.warm_s)
        print("trees full" if full else f"trees filled for {options.warm_s:.0f} s")
        print(f"{'':<26}{'CPU ms':>8}{'a core':>10}{'cores used':>12}{'bytes':>8}")
        for kind in KINDS:
            results[kind.title] = measure(server, kind, options.seconds)
            tell(kind, results[kind.title])
        print(f"{'resident':<26}{server.resident_mb:>8.0f} MB")
        results["memory"] = {"resident_mb": server.resident_mb}
    with serving(MODELS="gru-ngram", POOL_NAMES=POOL_NAMES) as server:
        server.first_answer(POOLED.path)
        server.await_idle(3 * options.warm_s)
        results[POOLED.title] = measure(server, POOLED, options.seconds)
        if results[POOLED.title]["requests"] * 20 > POOL_NAMES:
            raise SystemExit("the pool was empty before the end; say fewer --seconds")
        tell(POOLED, results[POOLED.title])
    with serving(MODELS="gru-ngram", TREE_MEMORY_MB=0, POOL_NAMES=0) as server:
        server.first_answer("/generate?n=20&seed=42")
        results[COLD.title] = measure(server, COLD, options.seconds)
        tell(COLD, results[COLD.title])
    if shutil.which("redis-server"):
        for kind, row in shared_limits(options.seconds):
            results[kind.title] = row
            tell(kind, row)
        redis_ms = row["redis_ms"]
        print(f"{'of that Redis':<26}{redis_ms:>8.3f}{1e3 / redis_ms:>8,.0f}/s")
    print(json.dumps({"benchmark": "cost", "machine": machine, "results": results}))


if __name__ == "__main__":
    main()

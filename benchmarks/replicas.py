"""Whether replicas add up, and whether the model of docs/scaling.md tells how long requests wait.

Real services, each with a part of a core, so that four of them, the balancer and the clients have
room on two; HAProxy in front, as deploy/haproxy has it. Then what its cache keeps from them,
against what `queueing.py` reckons.

python -m benchmarks.replicas [--share 0.2] [--seconds 10] [--warm-s 120]

It needs wrk, haproxy, and Linux where one may make control groups.
"""

import argparse
import json
import random
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.balancer import configuration
from benchmarks.cores import limited
from benchmarks.load import open_loop, wrk
from benchmarks.machine import describe_machine
from benchmarks.queueing import CROWD, Service, kept_share, percentile, waits, zipf
from benchmarks.server import Server, cpu_s, free_port, serving

COUNTS = (1, 2, 4)
USED = (0.3, 0.5, 0.7)
PATH = "/generate?n=10"
ADDRESSES = 2_000
KEPT_S = 10
"""In place of the balancer's `max-age`, so that what was kept first is long forgotten."""


@contextmanager
def balancing(servers: Sequence[Server]) -> Iterator[tuple[int, int]]:
    """HAProxy in front of some servers; its port, and its process's id."""
    port = free_port()
    text = configuration(port, [each.port for each in servers], KEPT_S)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "haproxy.cfg"
        path.write_text(text)
        process = subprocess.Popen(["haproxy", "-db", "-f", path], stderr=subprocess.DEVNULL)
        try:
            time.sleep(3)  # until it has asked each whether it is ready
            yield port, process.pid
        finally:
            process.kill()
            process.wait()


def seeded(count: int, first: int) -> list[str]:
    """Addresses of which no cache has any."""
    return [f"{PATH}&seed={first + i}" for i in range(count)]


def rates(servers: Sequence[Server], seconds: float) -> dict[int, float]:
    """Requests/s of so many replicas, as fast as they answer."""
    found = {}
    for count in COUNTS:
        with balancing(servers[:count]) as (port, balancer):
            before = cpu_s(balancer)
            got = wrk(port, PATH, seconds, CROWD * count, seeded=True)
            found[count] = got["requests"] / got["seconds"]
            times = found[count] / found[COUNTS[0]]
            own_ms = 1e3 * (cpu_s(balancer) - before) / got["requests"]
            print(
                f"{count} replicas: {found[count]:>7.1f} requests/s, {times:.2f} times; "
                f"the balancer's own time {own_ms:.3f} ms a request",
                flush=True,
            )
    return found


def measured_service(server: Server, seconds: float) -> Service:
    """What a replica takes, for the model."""
    with balancing([server]) as (port, _):
        alone, crowd = (wrk(port, PATH, seconds, each, seeded=True) for each in (1, CROWD))
    alone_s, crowd_s = (each["seconds"] / each["requests"] for each in (alone, crowd))
    print(f"a request alone {1e3 * alone_s:.1f} ms, each of {CROWD} {1e3 * crowd_s:.1f} ms")
    return Service.measured(alone_s, crowd_s)


def latencies(
    servers: Sequence[Server], service: Service, alone_per_s: float, seconds: float
) -> list[dict[str, float]]:
    """Of requests that come by chance: as measured, and as simulated."""
    table = []
    print(f"{'replicas':>9}{'used':>6}{'p50':>10}{'model':>8}{'p99':>10}{'model':>8}   ms")
    for count in COUNTS:
        with balancing(servers[:count]) as (port, _):
            for used in USED:
                per_s = used * alone_per_s * count
                paths = seeded(max(200, round(per_s * seconds)), time.time_ns() % 10**9)
                took = open_loop(port, paths, per_s)
                row: dict[str, float] = {"replicas": count, "used": used}
                model = waits(count, per_s, service, fewest=True, requests=100_000)
                for name, values in (("measured", took), ("model", model)):
                    row[f"p50_{name}_ms"] = 1e3 * statistics.median(values)
                    row[f"p99_{name}_ms"] = 1e3 * percentile(values, 99)
                table.append(row)
                print(
                    f"{count:>9}{used:>6.0%}{row['p50_measured_ms']:>10.1f}"
                    f"{row['p50_model_ms']:>8.1f}{row['p99_measured_ms']:>10.1f}"
                    f"{row['p99_model_ms']:>8.1f}",
                    flush=True,
                )
    return table


def kept(servers: Sequence[Server], per_s: float, seconds: float) -> dict[str, float]:
    """The share of requests that the balancer's cache answers, as counted and as reckoned."""
    likely = zipf(ADDRESSES)
    warm, measured = round(5 * per_s * KEPT_S), round(per_s * seconds)
    chosen = random.Random(1).choices(range(ADDRESSES), likely, k=warm + measured)
    first = time.time_ns() % 10**9
    paths = [f"{PATH}&format=json&seed={first + each}" for each in chosen]
    with balancing(servers) as (port, _):
        open_loop(port, paths[:warm], per_s)
        before = sum(each.answered for each in servers)
        took = open_loop(port, paths[warm:], per_s)
        missed = sum(each.answered for each in servers) - before
    found = {
        "measured": 1 - missed / measured,
        "model": kept_share(likely, per_s, KEPT_S),
        "per_s": per_s,
        "p50_ms": 1e3 * statistics.median(took),
    }
    print(f"of {per_s:.0f} requests/s for {ADDRESSES} addresses the cache answered")
    print(f"{found['measured']:.1%}, reckoned {found['model']:.1%}; p50 {found['p50_ms']:.1f} ms")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--share", type=float, default=0.2, help="of a core, for each replica")
    parser.add_argument("--seconds", type=float, default=10, help="of each cell")
    parser.add_argument("--warm-s", type=float, default=120, help="to fill a tree at most")
    options = parser.parse_args()
    machine = describe_machine()
    print(machine)
    with ExitStack() as stack:
        servers = list[Server]()
        for _ in range(max(COUNTS)):
            servers.append(stack.enter_context(serving(MODELS="gru-ngram", POOL_NAMES=0)))
            servers[-1].first_answer(PATH)
            full = servers[-1].await_idle(options.warm_s)
            print(f"replica {len(servers)}: tree {'full' if full else 'not full'}", flush=True)
        pids = {str(number): each.process.pid for number, each in enumerate(servers)}
        with limited({"whole": pids["0"]}, 1):
            whole = measured_service(servers[0], options.seconds)
        print(f"of a whole core: {whole.told}", flush=True)
        stack.enter_context(limited(pids, options.share))
        found = rates(servers, options.seconds)
        service = measured_service(servers[0], options.seconds)
        table = latencies(servers, service, found[1], options.seconds)
        cached = kept(servers, found[max(COUNTS)], 2 * KEPT_S)
        memory = [each.resident_mb for each in servers]
    results = {
        "a_core": vars(whole),
        "share": options.share,
        "requests_per_s": found,
        "latencies": table,
        "kept": cached,
    }
    print(json.dumps({"benchmark": "replicas", "machine": machine, "resident_mb": memory,
                      "results": results}))  # fmt: skip


if __name__ == "__main__":
    main()

"""Requests per second over HTTP, against a static route, a naive service and LitServe.

Real servers, each a process of its own with one worker, and wrk with one thread. Everything
is measured in turn, round after round, and the median taken, so that a noisy neighbour
meets all alike.

python -m benchmarks.http [--seconds 3] [--rounds 2] [--tree-mb 64]

It needs wrk, and the `bench` extra for LitServe's part.
"""

import argparse
import importlib.util
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from benchmarks.load import end_wrk, start_wrk
from benchmarks.machine import describe_machine

ROOT = Path(__file__).parent.parent
CONCURRENCIES = (1, 16, 64)
NAMES = 20
START_LIMIT_S = 60
REST_LIMIT_S = 30
"""For it to fill its pool."""
POOL_NAMES = 300_000
"""More than a second of requests takes."""

Figures = dict[str, float]


@dataclass(frozen=True)
class Case:
    """One row of the table.

    Attributes:
        title: what it is called.
        server: which server is asked.
        path: for what.
        seeded: whether each request adds a seed of its own.
        body: posted as JSON, if there is one.
        rested: whether the server has time to fill its pool before; it runs for a second.
        names: in an answer.
        slow: whether its requests take seconds; it runs once, and long.
    """

    title: str
    server: str
    path: str
    seeded: bool = False
    body: str = ""
    rested: bool = False
    names: int = NAMES
    slow: bool = False


CASES = (
    Case("static route", "static", "/static"),
    Case("unseeded, from the pool", "pool", f"/generate?n={NAMES}", rested=True),
    Case("unseeded, without a pool", "ours", f"/generate?n={NAMES}"),
    Case("distinct seeds", "ours", f"/generate?n={NAMES}", seeded=True),
    Case("temperature 0.8", "ours", f"/generate?n={NAMES}&temperature=0.8"),
    Case("naive service", "naive", f"/generate?n={NAMES}", slow=True),
    Case("LitServe", "litserve", "/predict", body=json.dumps({"n": NAMES}), slow=True),
)
SHORT = Case("n=10", "ours", "/generate?n=10&temperature=0.8", names=10)
LONG = Case("n=1000", "ours", "/generate?n=1000", seeded=True, names=1000)


class Server:
    """A process that listens on a port of its own."""

    def __init__(self, module: str, *arguments: str, **settings: str) -> None:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            self.port: int = listener.getsockname()[1]
        given = {f"NAMEWRIGHT_{key}": value for key, value in settings.items()}
        if module != "app":  # that has its port from the environment
            arguments = (*arguments, str(self.port))
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=ROOT,
            env=os.environ | given | {"NAMEWRIGHT_PORT": str(self.port)},
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )

    def await_ready(self, case: Case) -> bytes:
        """Its first answer."""
        body = case.body.encode() or None
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(self.url(case.path), body, headers)
        deadline = time.monotonic() + START_LIMIT_S
        while self._process.poll() is None and time.monotonic() < deadline:
            with suppress(urllib.error.URLError), urllib.request.urlopen(request) as response:
                answer: bytes = response.read()
                return answer
            time.sleep(0.1)
        raise SystemExit(f"the server of {case.title!r} did not start")

    def await_idle(self, limit_s: float) -> bool:
        """Until it uses next to no CPU, with nothing to fill any more; False: it still does."""
        deadline = time.monotonic() + limit_s
        before = self._cpu_s()
        while time.monotonic() < deadline:
            time.sleep(0.5)
            now = self._cpu_s()
            if now - before < 0.05:
                return True
            before = now
        return False

    def url(self, path: str) -> str:
        """Where `path` is."""
        return f"http://127.0.0.1:{self.port}{path}"

    def end(self) -> None:
        """Ask it to end, then make it."""
        self._process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(10)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _cpu_s(self) -> float:
        times = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(times[11]) + int(times[12])) / os.sysconf("SC_CLK_TCK")


def wrk(server: Server, case: Case, concurrency: int, seconds: float) -> "subprocess.Popen[str]":
    """Start to send; nothing is warmed up by it."""
    return start_wrk(
        server.port, case.path, seconds, concurrency, seeded=case.seeded, body=case.body
    )


def figures(process: "subprocess.Popen[str]", case: Case) -> Figures:
    """What came of it."""
    found = end_wrk(process)
    rate = found["requests"] / found["seconds"]
    return {
        "requests_per_s": rate,
        "names_per_s": rate * case.names,
        "p50_ms": found["p50_ms"],
        "p99_ms": found["p99_ms"],
        "failed": found["failed"],
    }


def median(runs: list[Figures]) -> Figures:
    """Of each figure, but of failures the sum."""
    found = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
    return found | {"failed": sum(run["failed"] for run in runs)}


def measure(
    servers: dict[str, Server], seconds: float, rounds: int
) -> dict[str, dict[int, Figures]]:
    """Every case that has a server, at every concurrency."""
    cases = [case for case in CASES if case.server in servers]
    runs: dict[tuple[str, int], list[Figures]] = {}
    for turn in range(rounds):
        for concurrency in CONCURRENCIES:
            for case in cases:
                if case.slow and turn:
                    continue
                server = servers[case.server]
                if case.rested and not server.await_idle(REST_LIMIT_S):
                    print(f"{case.title}: it was not full after {REST_LIMIT_S} s")
                run_s = 10 + concurrency // 3 if case.slow else 1 if case.rested else seconds
                process = wrk(server, case, concurrency, run_s)
                runs.setdefault((case.title, concurrency), []).append(figures(process, case))
    return {
        case.title: {
            concurrency: median(runs[case.title, concurrency]) for concurrency in CONCURRENCIES
        }
        for case in cases
    }


def measure_fairness(server: Server, seconds: float, rounds: int) -> dict[str, Figures]:
    """Requests for 10 names, one after the other: alone, and beside one for 1,000 all the time."""
    alone, beside = [], []
    for _ in range(rounds):
        alone.append(figures(wrk(server, SHORT, 1, seconds), SHORT))
        neighbour = wrk(server, LONG, 1, seconds + 2)
        time.sleep(1)
        beside.append(figures(wrk(server, SHORT, 1, seconds), SHORT))
        figures(neighbour, LONG)
    return {"alone": median(alone), "beside n=1000": median(beside)}


@contextmanager
def serving(tree_mb: int, warm_s: int) -> Iterator[dict[str, Server]]:
    """All servers, ready; the static one answers as many bytes as ours."""
    with ExitStack() as stack:

        def start(case: Case, module: str, *arguments: str, **settings: str) -> bytes:
            servers[case.server] = Server(module, *arguments, **settings)
            stack.callback(servers[case.server].end)
            return servers[case.server].await_ready(case)

        servers: dict[str, Server] = {}
        of = {case.server: case for case in CASES}
        settings = {"LOG_LEVEL": "warning", "TREE_MEMORY_MB": str(tree_mb), "POOL_NAMES": "0"}
        answer = start(of["ours"], "app", **settings, MODELS="gru-ngram")
        settings |= {"POOL_NAMES": str(POOL_NAMES)}
        start(of["pool"], "app", **settings, MODELS="gru-ngram")
        start(of["static"], "benchmarks.baselines", "static", str(len(answer)))
        start(of["naive"], "benchmarks.baselines", "naive")
        if importlib.util.find_spec("litserve"):
            start(of["litserve"], "benchmarks.batching_baseline")
        else:
            print("LitServe is left out: pip install -c constraints.txt -e '.[bench]'")
        for server in (servers["ours"], servers["pool"]):
            if not server.await_idle(warm_s):
                print(f"not warm: its tree, or its pool, was not full after {warm_s} s")
        yield servers


def show(results: dict[str, dict[int, Figures]]) -> None:
    """The table; x is the ratio to the static route."""
    titles = {
        "requests_per_s": "req/s",
        "names_per_s": "names/s",
        "p50_ms": "p50 ms",
        "p99_ms": "p99 ms",
    }
    print(f"{'clients':>7} {'':<22}" + "".join(f"{each:>11}{'x':>10}" for each in titles.values()))
    for concurrency in CONCURRENCIES:
        for case, row in results.items():
            figure, static = row[concurrency], results["static route"][concurrency]
            cells = "".join(
                f"{figure[key]:>11,.2f}{figure[key] / static[key]:>10.4f}" for key in titles
            )
            failed = f"  {figure['failed']:.0f} failed" if figure["failed"] else ""
            print(f"{concurrency:>7} {case:<22}{cells}{failed}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=3, help="of each run")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--tree-mb", type=int, default=64, help="for what our engine keeps")
    parser.add_argument("--warm", type=int, default=180, metavar="SECONDS", help="to fill it")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # and leave no server behind
    machine = describe_machine() | {
        name: version(name) for name in ("fastapi", "starlette", "uvicorn", "uvloop", "httptools")
    }
    print(machine)
    with serving(options.tree_mb, options.warm) as servers:
        results = measure(servers, options.seconds, options.rounds)
        fairness = measure_fairness(servers["ours"], options.seconds, options.rounds)
    show(results)
    for title, row in fairness.items():
        print(f"n=10 {title:<14} p50 {row['p50_ms']:.2f} ms  p99 {row['p99_ms']:.2f} ms")
    print(json.dumps({
        "benchmark": "http", "machine": machine, "results": results, "fairness": fairness
    }))  # fmt: skip


if __name__ == "__main__":
    main()

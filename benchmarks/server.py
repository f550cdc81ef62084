"""The service in a process of its own, as the benchmarks meet it; not a benchmark itself."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
START_LIMIT_S = 60


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def cpu_s(pid: int) -> float:
    """Processor seconds of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Server:
    """`python -m app`, started.

    Attributes:
        process: it, or the parent of its workers.
        port: where it listens on 127.0.0.1.
    """

    process: "subprocess.Popen[bytes]"
    port: int

    def connect(self) -> http.client.HTTPConnection:
        """A connection that stays open."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def first_answer(self, path: str) -> bytes:
        """Ask until it answers."""
        deadline = time.perf_counter() + START_LIMIT_S
        while self.process.poll() is None and time.perf_counter() < deadline:
            connection = self.connect()
            try:
                return get(connection, path)
            except ConnectionError:
                time.sleep(0.01)
            finally:
                connection.close()
        raise SystemExit("the server did not start")

    @property
    def resident_mb(self) -> float:
        """Of the process, MB (10^6 bytes)."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    @property
    def cpu_s(self) -> float:
        """Processor seconds of the process so far."""
        return cpu_s(self.process.pid)

    @property
    def answered(self) -> int:
        """How many requests for names it has answered with a 200 so far."""
        lines = get(self.connect(), "/metrics").decode().splitlines()
        given = 'namewright_requests_total{method="GET",route="/generate",status="200"} '
        return sum(int(float(line.removeprefix(given))) for line in lines if line.startswith(given))

    def await_idle(self, limit_s: float) -> bool:
        """Wait until it uses next to no CPU: it has nothing to fill any more; or give up."""
        deadline = time.perf_counter() + limit_s
        while time.perf_counter() < deadline:
            before = self.cpu_s
            time.sleep(1)
            if self.cpu_s - before < 0.1:
                return True
        return False


@contextmanager
def serving(**settings: object) -> Iterator[Server]:
    """Start the service with these settings, and end it."""
    port = free_port()
    given = {"PORT": port, "LOG_LEVEL": "warning"} | settings
    environment = {f"NAMEWRIGHT_{key}": str(value) for key, value in given.items()}
    process = subprocess.Popen(
        [sys.executable, "-m", "app"],
        cwd=ROOT,
        env=os.environ | environment,
        stdout=subprocess.DEVNULL,
    )
    try:
        yield Server(process, port)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def get(connection: http.client.HTTPConnection, path: str) -> bytes:
    """The body of a 200; anything else ends the benchmark."""
    connection.request("GET", path)
    response = connection.getresponse()
    body = response.read()
    if response.status != 200:
        raise SystemExit(f"{path}: {response.status} {body[:200]!r}")
    return body

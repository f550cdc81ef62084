"""Time from process start to the first correct answer, and resident memory.

python -m benchmarks.startup
"""

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
from pathlib import Path

from benchmarks.machine import describe_machine

ROUNDS = 5
QUERY = "/generate?n=20&seed=42"


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def resident_mb(pid: int) -> float:
    """Resident set of a process in MB (10^6 bytes)."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def measure(models: str) -> dict[str, float]:
    """Serve some models once: seconds to the first answer, MB then and after 100 more."""
    port = free_port()
    environment = os.environ | {
        "NAMEWRIGHT_PORT": str(port),
        "NAMEWRIGHT_MODELS": models,
        "NAMEWRIGHT_LOG_LEVEL": "warning",
    }
    address = f"http://127.0.0.1:{port}{QUERY}"
    started = time.perf_counter()
    server = subprocess.Popen([sys.executable, "-m", "app"], env=environment)
    try:
        answer = _first_answer(server, address)
        seconds = time.perf_counter() - started
        first_mb = resident_mb(server.pid)
        for _ in range(100):
            with urllib.request.urlopen(address) as response:
                if response.read() != answer:
                    raise SystemExit("the same seed gave other names")
        return {"seconds": seconds, "mb": first_mb, "mb_after_100": resident_mb(server.pid)}
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(30)


def _first_answer(server: "subprocess.Popen[bytes]", address: str) -> bytes:
    while server.poll() is None:
        try:
            with urllib.request.urlopen(address) as response:
                body: bytes = response.read()
                return body
        except urllib.error.URLError:
            time.sleep(0.01)
    raise SystemExit("the server did not start")


def main() -> None:
    results = {}
    for title, models in (("mixture", "mixture"), ("all bundled", "")):
        runs = [measure(models) for _ in range(ROUNDS)]
        results[title] = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
    machine = describe_machine()
    print(machine)
    print(f"{'serving':<12} {'first answer':>13} {'resident':>10} {'after 100':>10}")
    for title, row in results.items():
        print(
            f"{title:<12} {row['seconds']:>11.2f} s {row['mb']:>7.0f} MB"
            f" {row['mb_after_100']:>7.0f} MB"
        )
    print(json.dumps({"benchmark": "startup", "machine": machine, "results": results}))


if __name__ == "__main__":
    main()

"""What a server costs: seconds to its first correct answer, resident memory, and its latency
while the prefix tree is filled against that afterwards.

Real servers, with the default settings. A single client asks at an even pace, so that the
tree is filled in between; the seeds are the same both times. The tree is full when the process
uses no CPU any more.

python -m benchmarks.memory [--fill-s 60] [--requests 200]
"""

import argparse
import json
import statistics
import time

from benchmarks.machine import describe_machine
from benchmarks.server import Server, get, serving

QUERY = "/generate?n=20&seed=42"
STARTS = 3
PACE_S = 0.05


def first_answer() -> float:
    """Seconds from the start of a process until it has answered; all answers must agree."""
    started = time.perf_counter()
    with serving(MODELS="gru-ngram") as server:
        answer = server.first_answer(QUERY)
        seconds = time.perf_counter() - started
        connection = server.connect()
        if any(get(connection, QUERY) != answer for _ in range(20)):
            raise SystemExit("the same seed gave other names")
        return seconds


def latencies_ms(server: Server, requests: int) -> list[float]:
    """Of requests with distinct seeds, one every PACE_S, as far as that can be held."""
    connection, found = server.connect(), []
    for seed in range(requests):
        started = time.perf_counter()
        get(connection, f"/generate?n=20&seed={seed}")
        took = time.perf_counter() - started
        found.append(took * 1e3)
        time.sleep(max(0.0, PACE_S - took))
    return found


def measure(models: str, requests: int, fill_s: float) -> dict[str, float]:
    """One life of a server with some models, "" for all."""
    started = time.perf_counter()
    with serving(MODELS=models) as server:
        answer = server.first_answer(QUERY)
        figures = {"first_answer_s": time.perf_counter() - started}
        figures["mb_first"] = server.resident_mb
        growing = latencies_ms(server, requests)
        began_to_wait = time.perf_counter()
        figures["full"] = float(server.await_idle(fill_s))
        figures["waited_s"] = time.perf_counter() - began_to_wait
        figures["mb_full"] = server.resident_mb
        full = latencies_ms(server, requests)
        if get(server.connect(), QUERY) != answer:
            raise SystemExit("the same seed gave other names once the tree was full")
        for title, values in (("growing", growing), ("full", full)):
            figures[f"p50_{title}_ms"] = statistics.median(values)
            figures[f"p99_{title}_ms"] = statistics.quantiles(values, n=100)[-1]
        figures["mb_last"] = server.resident_mb
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fill-s", type=float, default=60, help="to wait for a full tree")
    parser.add_argument("--requests", type=int, default=200, help="before it is, and after")
    options = parser.parse_args()
    machine = describe_machine()
    print(machine)
    results: dict[str, dict[str, float]] = {}
    print(
        f"{'serving':<12}{'first answer':>14}{'MB then':>9}{'full':>8}{'at last':>9}"
        f"{'p99 growing':>14}{'full':>10}{'':>8}"
    )
    for title, models in (("gru-ngram", "gru-ngram"), ("all bundled", "")):
        row = results[title] = measure(models, options.requests, options.fill_s)
        if title == "gru-ngram":
            row["first_answer_s"] = statistics.median(first_answer() for _ in range(STARTS))
        print(
            f"{title:<12}{row['first_answer_s']:>12.2f} s{row['mb_first']:>9.0f}"
            f"{row['mb_full']:>8.0f}{row['mb_last']:>9.0f}{row['p99_growing_ms']:>11.1f} ms"
            f"{row['p99_full_ms']:>7.1f} ms{row['p99_growing_ms'] / row['p99_full_ms']:>7.1f}x"
            + ("" if row["full"] else "   the tree was not full yet"),
            flush=True,
        )
    print(json.dumps({"benchmark": "memory", "machine": machine, "results": results}))


if __name__ == "__main__":
    main()

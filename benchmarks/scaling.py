"""Names per second by how many are asked for, by the tree's memory, and by workers.

The default model. Up to 1,000 names are one request; more are drawn in pages of 1,000, and a
cell ends after so many seconds, whatever it was to draw. Workers are real processes, asked
by 16 clients at once for 20 names each; the clients need a core as well.

python -m benchmarks.scaling [--seconds 4] [--warm-s 20] [--full]

--full draws 10^6 names to the last one, and fills each tree to the brim.
"""

import argparse
import itertools
import json
import math
import threading
import time
from pathlib import Path

import torch

from benchmarks.machine import describe_machine
from benchmarks.server import Server, get, serving
from models.checkpoint import Checkpoint, load_checkpoint
from models.generation import Sampler
from models.request import MAX_NAMES, GenerationRequest, Job

CHECKPOINT = Path(__file__).parent.parent / "checkpoints" / "gru-ngram"
SIZES = (1, 10, 100, 1_000, 10_000, 100_000, 1_000_000)
BUDGETS_MB = (0, 8, 64, 512)
WORKERS = (1, 2)
CLIENTS = 16


def draw(sampler: Sampler, checkpoint: Checkpoint, names: int, seed: int, limit_s: float) -> int:
    """The first names of a stream, page by page; how many there were time for."""
    drawn = offset = 0
    deadline = time.perf_counter() + limit_s
    while drawn < names and time.perf_counter() < deadline:
        request = GenerationRequest(seed, min(MAX_NAMES, names - drawn), offset)
        job = Job(request, checkpoint.model, checkpoint.vocabulary)
        sampler.add(job)
        while not job.done:
            sampler.step()
        drawn += request.n
        offset = job.result().next_offset
    return drawn


def rate(sampler: Sampler, checkpoint: Checkpoint, names: int, seconds: float) -> float:
    """Names/s of streams of seed 0, 1 and so on."""
    drawn, seed, started = 0, 0, time.perf_counter()
    while time.perf_counter() - started < min(seconds, 1):
        drawn += draw(sampler, checkpoint, names, seed, seconds)
        seed += 1
    return drawn / (time.perf_counter() - started)


def grown(checkpoint: Checkpoint, budget_mb: int, limit_s: float) -> Sampler:
    """A sampler whose tree has been filled for so long at most."""
    sampler = Sampler(checkpoint.model, checkpoint.vocabulary, budget_mb << 20)
    deadline = time.perf_counter() + limit_s
    while not sampler.grown and time.perf_counter() < deadline:
        sampler.grow()
    return sampler


def served_rate(workers: int, seconds: float) -> float:
    """Names/s over HTTP, distinct seeds."""
    with serving(MODELS="gru-ngram", WORKERS=workers) as server:
        server.first_answer("/generate?n=20&seed=42")
        time.sleep(2 * seconds)  # every worker is ready, and its tree has begun to grow
        seeds, answered = itertools.count(), itertools.count()
        deadline = time.perf_counter() + seconds
        clients = [
            threading.Thread(target=_ask, args=(server, seeds, answered, deadline))
            for _ in range(CLIENTS)
        ]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        return 20 * next(answered) / (time.perf_counter() - deadline + seconds)


def _ask(
    server: Server, seeds: "itertools.count[int]", answered: "itertools.count[int]", deadline: float
) -> None:
    connection = server.connect()
    while time.perf_counter() < deadline:
        get(connection, f"/generate?n=20&seed={next(seeds)}")
        next(answered)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=4, help="of a cell at most")
    parser.add_argument("--warm-s", type=float, default=20, help="to fill a tree at most")
    parser.add_argument("--full", action="store_true", help="no limit for either")
    options = parser.parse_args()
    torch.set_num_threads(1)
    limit_s = math.inf if options.full else options.seconds
    warm_s = math.inf if options.full else options.warm_s
    machine = describe_machine()
    print(machine)
    checkpoint = load_checkpoint(CHECKPOINT)
    results: dict[str, dict[str, float]] = {"names": {}, "tree_mb": {}, "workers": {}}
    for budget in BUDGETS_MB:
        sampler = grown(checkpoint, budget, warm_s)
        results["tree_mb"][str(budget)] = found = rate(sampler, checkpoint, 1000, limit_s)
        full = "full" if sampler.grown else "not full yet"
        print(f"{f'tree {budget} MiB, {full}, n=1000':<40}{found:>10,.0f} names/s", flush=True)
        if budget == 64:
            for names in SIZES:
                results["names"][str(names)] = found = rate(sampler, checkpoint, names, limit_s)
                print(f"{f'  n={names:,}':<40}{found:>10,.0f} names/s", flush=True)
    for workers in WORKERS:
        results["workers"][str(workers)] = found = served_rate(workers, options.seconds)
        print(f"{f'workers {workers}, n=20 over HTTP':<40}{found:>10,.0f} names/s", flush=True)
    print(json.dumps({"benchmark": "scaling", "machine": machine, "results": results}))


if __name__ == "__main__":
    main()

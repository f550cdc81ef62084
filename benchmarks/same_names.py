"""That a seed gives the same names with other threads, other passes and another memory.

Passes of another height round otherwise; so do those of several threads. Each way draws the
first names of one seed's stream in a process of its own.

python -m benchmarks.same_names [--models lstm ...] [--names 1000000]
"""

import argparse
import hashlib
import json
import subprocess
import sys
import time

from benchmarks.machine import describe_machine

WAYS = {
    "one thread": (1, 32, 64),
    "two threads": (2, 32, 64),
    "exact passes of 48 rows": (1, 48, 64),
    "8 MiB for the tree": (1, 32, 8),
}
"""Threads, rows of an exact pass, MiB for the tree."""


def draw(model_id: str, names: int, threads: int, rows: int, tree_mb: int) -> None:
    """Print the sha256 of the names and of their indexes."""
    from models import rows as evaluated

    evaluated.ROWS = rows  # before anything takes it over
    import torch

    from benchmarks.generation import CHECKPOINTS
    from models.checkpoint import load_checkpoint
    from models.generation import Sampler
    from models.request import MAX_JOB_NAMES, GenerationRequest, Job

    torch.set_num_threads(threads)
    checkpoint = load_checkpoint(CHECKPOINTS / model_id)
    sampler = Sampler(checkpoint.model, checkpoint.vocabulary, tree_mb << 20)
    digest, drawn, offset = hashlib.sha256(), 0, 0
    while drawn < names:
        n = min(MAX_JOB_NAMES, names - drawn)
        request = GenerationRequest(7, n, offset, scores=False)
        job = Job(request, checkpoint.model, checkpoint.vocabulary)
        sampler.add(job)
        while not job.done:
            sampler.step()
        for name in job.result().names:
            digest.update(f"{name.index} {name.name}\n".encode())
        drawn, offset = drawn + n, job.result().next_offset
        for _ in range(100):
            sampler.grow()
    print(digest.hexdigest())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", default=["bigram", "lstm"])
    parser.add_argument("--names", type=int, default=1_000_000)
    parser.add_argument("--draw", nargs=5, metavar="WAY", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.draw:
        draw(options.draw[0], *map(int, options.draw[1:]))
        return
    machine = describe_machine()
    print(machine)
    results: dict[str, dict[str, str]] = {}
    for model_id in options.models:
        for way, numbers in WAYS.items():
            given = [model_id, str(options.names), *map(str, numbers)]
            started = time.monotonic()
            child = subprocess.run(
                [sys.executable, "-m", "benchmarks.same_names", "--draw", *given],
                check=True, capture_output=True, text=True,
            )  # fmt: skip
            results.setdefault(model_id, {})[way] = found = child.stdout.strip()
            seconds = time.monotonic() - started
            print(f"{model_id:<12}{way:<26}{found[:16]}  {seconds:.0f} s", flush=True)
        print(
            f"{model_id}: {'the same' if len(set(results[model_id].values())) == 1 else 'DIFFER'}"
        )
    print(
        json.dumps(
            {
                "benchmark": "same_names", "machine": machine, "names": options.names,
                "results": results,
            }
        )
    )  # fmt: skip


if __name__ == "__main__":
    main()

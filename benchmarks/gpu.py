"""The same engine on CUDA and on the CPU: names per second, and that the names are the same.

python -m benchmarks.gpu [--models gru-ngram lstm ...] [--names 10000]

It needs a CUDA device and a build of torch that supports it.
"""

import argparse
import json
import time
from pathlib import Path

import torch

from benchmarks.machine import describe_machine
from models.checkpoint import load_checkpoint
from models.generation import Sampler
from models.request import MAX_NAMES, GenerationRequest, Job

CHECKPOINTS = Path(__file__).parent.parent / "checkpoints"
MODELS = ("gru-ngram", "mixture", "transformer", "lstm", "bigram")
TREE_BYTES = 64 << 20
SEED = 20261121


def draw(model_id: str, device: str, names: int) -> tuple[list[str], float]:
    """So many names from a cold tree, and how many a second."""
    checkpoint = load_checkpoint(CHECKPOINTS / model_id)
    model, vocabulary = checkpoint.model.to(device), checkpoint.vocabulary
    sampler = Sampler(model, vocabulary, TREE_BYTES)
    drawn: list[str] = []
    offset, started = 0, time.perf_counter()
    while len(drawn) < names:
        request = GenerationRequest(SEED, min(MAX_NAMES, names - len(drawn)), offset)
        job = Job(request, model, vocabulary)
        sampler.add(job)
        while not job.done:
            sampler.step()
        generated = job.result()
        drawn += [found.name for found in generated.names]
        offset = generated.next_offset
    # What was drawn is in the CPU's memory: nothing is left to wait for.
    return drawn, names / (time.perf_counter() - started)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--models", nargs="+", default=["gru-ngram", "mixture", "transformer", "lstm", "bigram"]
    )
    parser.add_argument("--names", type=int, default=10_000)
    options = parser.parse_args()
    if not torch.cuda.is_available():
        raise SystemExit("no CUDA device: this benchmark needs one, and a torch that supports it")
    torch.set_num_threads(1)
    machine = describe_machine() | {"gpu": torch.cuda.get_device_name()}
    print(machine)
    print(f"{'names/s, cold':<14}{'cpu':>10}{'cuda':>10}{'names that differ':>20}")
    results = {}
    for model_id in options.models:
        on_cpu, cpu_rate = draw(model_id, "cpu", options.names)
        on_cuda, cuda_rate = draw(model_id, "cuda", options.names)
        differing = sum(a != b for a, b in zip(on_cpu, on_cuda, strict=True))
        results[model_id] = {"cpu": cpu_rate, "cuda": cuda_rate, "differing": differing}
        print(f"{model_id:<14}{cpu_rate:>10,.0f}{cuda_rate:>10,.0f}{differing:>20}", flush=True)
    print(json.dumps({"benchmark": "gpu", "machine": machine, "results": results}))


if __name__ == "__main__":
    main()

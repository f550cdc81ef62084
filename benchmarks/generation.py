"""Names per second of the engine, cold and warm, against the plain loop on the same weights.

The plain loop is makemore's: a full forward pass for every character of a batch of names,
all of them to the model's longest, in float32, drawn with torch.multinomial.

python -m benchmarks.generation [--models mixture gru ...] [--tree-mb 64]
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch

from benchmarks.machine import describe_machine
from models.base import LanguageModel
from models.checkpoint import Checkpoint, load_checkpoint
from models.generation import Sampler
from models.request import MAX_NAMES, GenerationRequest, Job
from models.rows import longest_name
from models.vocabulary import BOUNDARY

CHECKPOINTS = Path(__file__).parent.parent / "checkpoints"
SIZES = (20, 1000)
WARM_SECONDS = 60
"""Of filling the tree at most, before it counts as warm."""


@torch.inference_mode()
def plain_loop(model: LanguageModel, names: int, characters: int) -> torch.Tensor:
    """makemore's generate: (names, 1 + characters) int64, each from a boundary on."""
    token_ids = torch.full((names, 1), BOUNDARY)
    for _ in range(characters):
        probs = model(token_ids)[:, -1].softmax(-1)
        token_ids = torch.cat((token_ids, torch.multinomial(probs, num_samples=1)), 1)
    return token_ids


def rate(draw: Callable[[int], object], names: int) -> float:
    """Median names/s of drawing with seed 0, 1 and so on, for at least a second."""
    rates: list[float] = []
    began = time.perf_counter()
    while len(rates) < 3 or time.perf_counter() - began < 1:
        started = time.perf_counter()
        draw(len(rates))
        rates.append(names / (time.perf_counter() - started))
    return statistics.median(rates)


def drawing(sampler: Sampler, checkpoint: Checkpoint, names: int) -> Callable[[int], None]:
    """A request of a seed, from start to end."""

    def draw(seed: int) -> None:
        job = Job(GenerationRequest(seed, names), checkpoint.model, checkpoint.vocabulary)
        sampler.add(job)
        while not job.done:
            sampler.step()

    return draw


def measure(model_id: str, tree_bytes: int) -> dict[str, float]:
    """Names/s by way and size, and for how many seconds the tree was filled before `warm`."""
    checkpoint = load_checkpoint(CHECKPOINTS / model_id)
    single = load_checkpoint(CHECKPOINTS / model_id).model.float()
    longest = min(15, longest_name(single, checkpoint.vocabulary))
    figures = {}
    for names in SIZES:
        figures[f"plain_{names}"] = rate(
            lambda _, names=names: plain_loop(single, names, longest), names
        )
    sampler = Sampler(checkpoint.model, checkpoint.vocabulary, tree_bytes)
    started = time.perf_counter()
    drawing(sampler, checkpoint, MAX_NAMES)(0)
    figures[f"cold_{MAX_NAMES}"] = MAX_NAMES / (time.perf_counter() - started)
    started = time.perf_counter()
    while not sampler.grown and time.perf_counter() - started < WARM_SECONDS:
        sampler.grow()
    figures["seconds_to_warm"] = time.perf_counter() - started
    for names in SIZES:
        figures[f"warm_{names}"] = rate(drawing(sampler, checkpoint, names), names)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", default=["mixture", "transformer", "lstm", "bigram"])
    parser.add_argument("--tree-mb", type=int, default=64)
    options = parser.parse_args()
    torch.set_num_threads(1)
    machine = describe_machine()
    print(machine)
    print(f"{'names/s':<14}" + "".join(f"{f'n={n} plain':>16}{'warm':>10}{'':>8}" for n in SIZES))
    results = {}
    for model_id in options.models:
        row = results[model_id] = measure(model_id, options.tree_mb << 20)
        cells = "".join(
            f"{row[f'plain_{n}']:>16,.0f}{row[f'warm_{n}']:>10,.0f}"
            f"{row[f'warm_{n}'] / row[f'plain_{n}']:>7.0f}x"
            for n in SIZES
        )
        print(f"{model_id:<14}{cells}   cold {row[f'cold_{MAX_NAMES}']:,.0f}", flush=True)
    print(json.dumps({"benchmark": "generation", "machine": machine, "results": results}))


if __name__ == "__main__":
    main()

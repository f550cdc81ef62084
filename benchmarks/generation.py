"""Names per second of the engine, against the plain loop, Faker, and what a dense model allows.

- The plain loop is makemore's: a full forward pass for every character of a batch of names,
  all of them to the model's longest, in float32, drawn with torch.multinomial.
- Faker's first_name() chooses from a list; it is what test data is often made with.
- The dense bound is what one forward pass for every character could reach at best: this
  machine's rate of float32 products over those that a name takes.

All of it on one thread. Warm means that the tree is full, or has been filled for --warm seconds.

python -m benchmarks.generation [--models gru-ngram mixture ... | all] [--tree-mb 64] [--warm 120]
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from faker import Faker

from benchmarks.machine import describe_machine
from models.base import LanguageModel
from models.checkpoint import Checkpoint, load_checkpoint
from models.generation import Sampler
from models.request import MAX_JOB_NAMES, GenerationRequest, Job, default_length
from models.sampling import SamplingParams
from models.vocabulary import BOUNDARY
from training.compare import multiply_adds

CHECKPOINTS = Path(__file__).parent.parent / "checkpoints"
SIZES = (20, 1000, 10_000, 100_000)
KINDS = {"as is": SamplingParams(), "0.8, top 10": SamplingParams(0.8, top_k=10)}
PLAIN_NAMES = 1000
"""Of the plain loop at most: a larger batch of it is no faster a name."""
PLAIN_CHARACTERS = 15
SECONDS = 1.0
"""Of repeating a measurement at least."""

Draw = Callable[[int], object]


@torch.inference_mode()
def plain_loop(model: LanguageModel, names: int, characters: int) -> torch.Tensor:
    """makemore's generate: (names, 1 + characters) int64, each from a boundary on."""
    token_ids = torch.full((names, 1), BOUNDARY)
    for _ in range(characters):
        probs = model(token_ids)[:, -1].softmax(-1)
        token_ids = torch.cat((token_ids, torch.multinomial(probs, num_samples=1)), 1)
    return token_ids


def rate(draw: Draw, names: int) -> float:
    """Median names/s of drawing with seed 0, 1 and so on."""
    rates: list[float] = []
    began = time.perf_counter()
    while len(rates) < 3 or time.perf_counter() - began < SECONDS:
        started = time.perf_counter()
        draw(len(rates))
        rates.append(names / (time.perf_counter() - started))
        if time.perf_counter() - began > 10 * SECONDS:
            break
    return statistics.median(rates)


def drawing(sampler: Sampler, checkpoint: Checkpoint, names: int, params: SamplingParams) -> Draw:
    """The first names of a seed's stream, a page after the other."""

    def draw(seed: int) -> None:
        offset, missing = 0, names
        while missing:
            n = min(missing, MAX_JOB_NAMES)
            request = GenerationRequest(seed, n, offset, sampling=params, scores=False)
            job = Job(request, checkpoint.model, checkpoint.vocabulary)
            sampler.add(job)
            while not job.done:
                sampler.step()
            offset, missing = job.result().next_offset, missing - n

    return draw


def dense_bound(model: LanguageModel, characters: float) -> float | None:
    """Names/s of `characters` if all that a name took were its products, in float32."""
    a, b = torch.randn(1024, 1024), torch.randn(1024, 1024)
    products_a_s = rate(lambda _: a @ b, 1) * 1024**3
    needed = multiply_adds(model) * characters
    return products_a_s / needed if needed else None


def warm(sampler: Sampler, seconds: float) -> float:
    """Fill the tree; for how many seconds."""
    started = time.perf_counter()
    while not sampler.grown and time.perf_counter() - started < seconds:
        sampler.grow()
    return time.perf_counter() - started


def measure(model_id: str, tree_bytes: int, warm_seconds: float) -> dict[str, float | None]:
    """Names/s by way, kind and size."""
    checkpoint = load_checkpoint(CHECKPOINTS / model_id)
    model, vocabulary = checkpoint.model, checkpoint.vocabulary
    single = load_checkpoint(CHECKPOINTS / model_id).model.float()
    length = default_length(model, vocabulary)
    plain = {
        n: rate(lambda _, n=n: plain_loop(single, n, min(PLAIN_CHARACTERS, length)), n)
        for n in (20, PLAIN_NAMES)
    }
    figures: dict[str, float | None] = {f"plain {n}": value for n, value in plain.items()}
    sampler = Sampler(model, vocabulary, tree_bytes)
    started = time.perf_counter()
    drawing(sampler, checkpoint, 1000, SamplingParams())(0)
    figures["cold 1000"] = 1000 / (time.perf_counter() - started)
    job = Job(GenerationRequest(0, 1000), model, vocabulary)
    sampler.add(job)
    while not job.done:
        sampler.step()
    characters = statistics.mean(len(drawn.name) + 1 for drawn in job.result().names)
    figures["dense bound"] = dense_bound(model, characters)
    figures["seconds to warm"] = warm(sampler, warm_seconds)
    figures["nodes"] = len(sampler.tree)
    for kind, params in KINDS.items():
        for n in SIZES:
            drawn = drawing(sampler, checkpoint, n, params)
            figures[f"{kind}, {n}"] = found = rate(drawn, n)
            figures[f"{kind}, {n}, over plain"] = found / plain[min(n, PLAIN_NAMES)]
    return figures


def show(model_id: str, figures: dict[str, float | None], faker: float) -> None:
    bound = figures["dense bound"]
    print(
        f"\n{model_id}: plain loop {figures['plain 20']:,.0f} (n=20), {figures['plain 1000']:,.0f} "
        f"(n=1000); cold {figures['cold 1000']:,.0f}; dense bound "
        + (f"{bound:,.0f}" if bound else "none")
        + f"; {figures['nodes']:,.0f} nodes in {figures['seconds to warm']:.0f} s"
    )
    print(f"{'':14}{'n':>9}{'names/s':>12}{'/ plain':>9}{'/ Faker':>9}{'/ dense':>9}")
    for kind in KINDS:
        for n in SIZES:
            found = figures[f"{kind}, {n}"] or 0.0
            over = figures[f"{kind}, {n}, over plain"]
            dense = f"{found / bound:>9.2f}" if bound else f"{'':>9}"
            print(f"{kind:14}{n:>9,}{found:>12,.0f}{over:>9.1f}{found / faker:>9.2f}{dense}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", default=["gru-ngram"], help="ids, or all")
    parser.add_argument("--tree-mb", type=int, default=64)
    parser.add_argument("--warm", type=float, default=150, metavar="SECONDS")
    options = parser.parse_args()
    torch.set_num_threads(1)
    machine = describe_machine()
    print(machine)
    choose = Faker("en_US").first_name
    faker = rate(lambda _: [choose() for _ in range(10_000)], 10_000)
    print(f"Faker's first_name(): {faker:,.0f} names/s")
    names = options.models
    if names == ["all"]:
        names = sorted(folder.name for folder in CHECKPOINTS.iterdir() if folder.is_dir())
    results = {}
    for model_id in names:
        results[model_id] = measure(model_id, options.tree_mb << 20, options.warm)
        show(model_id, results[model_id], faker)
    print(
        json.dumps(
            {"benchmark": "generation", "machine": machine, "faker": faker, "results": results}
        )
    )


if __name__ == "__main__":
    main()

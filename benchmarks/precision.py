"""What float64 costs against float32: names per second, the same loop, alternately.

python -m benchmarks.precision
"""

import json
import statistics
import time
from pathlib import Path

import torch

from benchmarks.machine import describe_machine
from models.checkpoint import load_checkpoint
from models.generation import generate
from models.request import GenerationRequest

CHECKPOINTS = Path(__file__).parent.parent / "checkpoints"
ROUNDS = 7
NAMES = 1000


def measure(model_id: str) -> dict[str, float]:
    """Median names/s in both precisions, and how many of the names differ."""
    checkpoint = load_checkpoint(CHECKPOINTS / model_id)
    single = load_checkpoint(CHECKPOINTS / model_id).model.float()
    rates: dict[str, list[float]] = {"float64": [], "float32": []}
    differing = 0
    for seed in range(ROUNDS + 1):  # round 0 warms up
        drawn = {}
        for name, model in (("float64", checkpoint.model), ("float32", single)):
            started = time.perf_counter()
            result = generate(model, checkpoint.vocabulary, GenerationRequest(seed, NAMES))
            rates[name].append(NAMES / (time.perf_counter() - started))
            drawn[name] = [found.name for found in result.names]
        differing += sum(a != b for a, b in zip(*drawn.values(), strict=True))
    figures = {name: statistics.median(values[1:]) for name, values in rates.items()}
    return figures | {
        "cost": figures["float32"] / figures["float64"],
        "differing": differing,
        "of": NAMES * (ROUNDS + 1),
    }


def main() -> None:
    torch.set_num_threads(1)
    results = {model_id: measure(model_id) for model_id in ("bigram", "transformer")}
    machine = describe_machine()
    print(machine)
    print(
        f"{'model':<12} {'float64':>12} {'float32':>12} {'float64 costs':>14} {'names differ':>14}"
    )
    for model_id, row in results.items():
        print(
            f"{model_id:<12} {row['float64']:>10,.0f}/s {row['float32']:>10,.0f}/s "
            f"{row['cost']:>13.2f}x {row['differing']:>6,.0f} of {row['of']:,.0f}"
        )
    print(json.dumps({"benchmark": "precision", "machine": machine, "results": results}))


if __name__ == "__main__":
    main()

"""How long training takes to a test NLL of 2.00, against makemore's own loop.

Both learn from makemore's split on one thread and are looked at on its 1,000 test
names. makemore's loop is written after its source: batches of 32 drawn with
replacement by a DataLoader, every name padded to the longest, AdamW at a constant
5e-4 with weight decay 0.01, no dropout, no averaging; its looks are left out of
its time. Ours is `training.fit` on the same model without dropout, with a schedule
as short as the goal needs; its looks are counted.

    python -m benchmarks.time_to_loss
"""

import json
import time
from collections.abc import Iterator
from dataclasses import replace

import torch
from torch.utils.data import DataLoader, RandomSampler, TensorDataset

from benchmarks.machine import describe_machine
from models.registry import build_model
from models.vocabulary import Vocabulary
from training.corpus import Split, encode_lines
from training.evaluate import mean_nll
from training.fit import fit
from training.loss import cross_entropy
from training.recipes import Descent, Recipe, gru, transformer
from training.run import Run
from training.sources import find_corpus

TARGET = 2.00
SEED = 3407
LOOK_EVERY = 500
GIVE_UP_S = 1500
OURS = {
    "gru": replace(gru(), method=Descent(steps=1500, learning_rate=1e-2, eval_every=50)),
    "transformer": replace(
        transformer(), method=Descent(steps=1500, learning_rate=3e-3, eval_every=50), dropout=0.0
    ),
}


def makemores_loop(
    recipe: Recipe, vocabulary: Vocabulary, split: Split
) -> Iterator[tuple[float, int, float]]:
    """Yields (seconds of training, steps, test NLL) every LOOK_EVERY steps, without end."""
    torch.manual_seed(SEED)
    inputs, targets = encode_lines(split.train, vocabulary)
    test = encode_lines(split.test, vocabulary)
    model = build_model(
        recipe.architecture, recipe.model_config(len(vocabulary), inputs.shape[1] - 1)
    )
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=5e-4, weight_decay=0.01, betas=(0.9, 0.99), eps=1e-8
    )
    data = TensorDataset(inputs, targets)
    sampler = RandomSampler(data, replacement=True, num_samples=int(1e9))
    batches = iter(DataLoader(data, batch_size=32, sampler=sampler))
    seconds, steps = 0.0, 0
    while True:
        started = time.perf_counter()
        for _ in range(LOOK_EVERY):
            loss = cross_entropy(*_predicted(model, next(batches)))
            model.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
        seconds += time.perf_counter() - started
        steps += LOOK_EVERY
        yield seconds, steps, mean_nll(model, *test)


def _predicted(
    model: torch.nn.Module, batch: tuple[torch.Tensor, torch.Tensor]
) -> tuple[torch.Tensor, torch.Tensor]:
    return model(batch[0]), batch[1]


def time_makemore(recipe: Recipe, vocabulary: Vocabulary, split: Split) -> tuple[float, int, float]:
    """Seconds, steps and NLL when it is there, or when patience ends."""
    for seconds, steps, nll in makemores_loop(recipe, vocabulary, split):
        if nll <= TARGET or seconds > GIVE_UP_S:
            return seconds, steps, nll
    raise AssertionError("the loop has no end")


def time_ours(recipe: Recipe, vocabulary: Vocabulary, split: Split) -> tuple[float, int, float]:
    """The same for ours, which looks at test in place of dev here."""
    looks: list[tuple[float, int, float]] = []
    started = time.perf_counter()

    def look(row: dict[str, float]) -> None:
        looks.append((time.perf_counter() - started, int(row["step"]), row["dev_nll"]))

    def there() -> bool:
        return bool(looks) and looks[-1][2] <= TARGET

    run = Run(report=look, stop=there)
    fit(recipe, vocabulary, split.train, split.test, seed=SEED, run=run)
    return looks[-1]


def main() -> None:
    torch.set_num_threads(1)
    corpus = find_corpus("lines")
    vocabulary = corpus.vocabulary
    (split,) = corpus.split(["makemore"])
    machine = describe_machine()
    print(machine)
    print(f"{'model':<12} {'loop':<9} {'seconds':>8} {'steps':>7} {'test NLL':>9} {'times':>6}")
    results = {}
    for name, recipe in OURS.items():
        ours = time_ours(recipe, vocabulary, split)
        theirs = time_makemore(recipe, vocabulary, split)
        times = theirs[0] / ours[0]
        for loop, (seconds, steps, nll) in (("ours", ours), ("makemore", theirs)):
            print(f"{name:<12} {loop:<9} {seconds:>8.1f} {steps:>7,} {nll:>9.4f}", end=" ")
            print(f"{times if loop == 'ours' else 1:>6.1f}")
        results[name] = {"ours_s": ours[0], "makemore_s": theirs[0], "times": times}
    best = results["gru"]["ours_s"]
    print(f"our GRU against makemore's default, the Transformer: "
          f"{results['transformer']['makemore_s'] / best:.1f} times")  # fmt: skip
    print(json.dumps({"benchmark": "time_to_loss", "target": TARGET, "machine": machine,
                      "results": results}))  # fmt: skip


if __name__ == "__main__":
    main()

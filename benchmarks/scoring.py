"""Words per second of scoring 1,000 of them in one request, against a plain batched forward.

The plain way is one forward pass over all words, padded to the longest, in float32 or float64,
and the probabilities of what came. Half of the words are the default model's own, half are names
of the corpus, if NAMEWRIGHT_DATA names its folder; a model of running text scores 100 of its own
texts, of 30 characters each.
*Cold* knows no prefix; *warm* has filled its tree, for so many seconds at most.

python -m benchmarks.scoring [--models gru-ngram mixture ...] [--tree-mb 64] [--warm-s 10]
"""

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.machine import describe_machine
from models.base import LanguageModel
from models.checkpoint import Checkpoint, load_checkpoint
from models.generation import Sampler, generate
from models.request import GenerationRequest
from models.score import Score, Scoring
from models.scoring import Scorer
from models.vocabulary import BOUNDARY, Vocabulary

CHECKPOINTS = Path(__file__).parent.parent / "checkpoints"
DEFAULT = "gru-ngram"
WORDS = 1000
TEXTS, TEXT_LENGTH = 100, 30
ROUNDS, SECONDS = 5, 3
"""Of a measurement at most."""


def words_for(checkpoint: Checkpoint) -> list[str]:
    """Distinct words that this model can score."""
    if not checkpoint.vocabulary.ends:
        return _drawn(checkpoint, TEXTS, TEXT_LENGTH)
    words: list[str] = []
    if folder := os.environ.get("NAMEWRIGHT_DATA"):
        names = (Path(folder) / "names.txt").read_text(encoding="utf-8").split()
        words += list(dict.fromkeys(names[:: len(names) // WORDS]))[: WORDS // 2]
    words += _drawn(load_checkpoint(CHECKPOINTS / DEFAULT), WORDS + WORDS // 2)
    return list(dict.fromkeys(words))[:WORDS]


def _drawn(checkpoint: Checkpoint, count: int, length: int | None = None) -> list[str]:
    words: dict[str, None] = {}
    offset = 0
    while len(words) < count:
        request = GenerationRequest(20261121, min(count, WORDS), offset, max_length=length)
        generated = generate(checkpoint.model, checkpoint.vocabulary, request)
        words |= dict.fromkeys(drawn.name for drawn in generated.names)
        offset = generated.next_offset
    return list(words)[:count]


@torch.inference_mode()
def plain_forward(model: LanguageModel, vocabulary: Vocabulary, words: list[str]) -> list[Tensor]:
    """The NLLs of each word's predictions, by one forward pass over the padded batch."""
    predicted = [
        torch.tensor(vocabulary.encode(word) + [BOUNDARY] * vocabulary.ends) for word in words
    ]
    targets = torch.nn.utils.rnn.pad_sequence(predicted, batch_first=True)
    logits = model(torch.nn.functional.pad(targets, (1, 0), value=BOUNDARY)[:, :-1])
    if not vocabulary.ends:
        logits[..., BOUNDARY] = -torch.inf
    nlls = -logits.log_softmax(-1).gather(-1, targets[..., None])[..., 0]
    return [row[: len(own)] for row, own in zip(nlls, predicted, strict=True)]


def score(scorer: Scorer, checkpoint: Checkpoint, words: list[str]) -> list[Score]:
    """One request, from its words to its scores."""
    scoring = Scoring(checkpoint.model, checkpoint.vocabulary, words)
    scorer.add(scoring)
    while not scoring.done:
        scorer.step()
    return scoring.result()


def rate(work: Callable[[list[str]], object], words: list[str]) -> float:
    """Median words/s."""
    seconds: list[float] = []
    while not seconds or (len(seconds) < ROUNDS and sum(seconds) < SECONDS):
        started = time.perf_counter()
        work(words)
        seconds.append(time.perf_counter() - started)
    return len(words) / statistics.median(seconds)


def measure(model_id: str, tree_bytes: int, warm_s: float) -> dict[str, float]:
    """Words/s by way; the tree's share of what it has room for; the largest difference, nats."""
    checkpoint = load_checkpoint(CHECKPOINTS / model_id)
    model, vocabulary = checkpoint.model, checkpoint.vocabulary
    words = words_for(checkpoint)
    sampler = Sampler(model, vocabulary, tree_bytes)
    scorer = Scorer(model, vocabulary, sampler.tree)
    single = load_checkpoint(CHECKPOINTS / model_id).model.float()
    figures = {
        "plain_float32": rate(partial(plain_forward, single, vocabulary), words),
        "plain_float64": rate(partial(plain_forward, model, vocabulary), words),
        "cold": rate(partial(score, scorer, checkpoint), words),
    }
    cold = score(scorer, checkpoint, words)
    started = time.perf_counter()
    while not sampler.grown and time.perf_counter() - started < warm_s:
        sampler.grow()
    figures["full"] = float(sampler.grown)
    figures["warm"] = rate(partial(score, scorer, checkpoint), words)
    if score(scorer, checkpoint, words) != cold:
        raise SystemExit(f"{model_id}: a score depends on what the tree knows")
    expected = plain_forward(model, vocabulary, words)
    figures["largest_difference"] = max(
        float((torch.tensor(found.nlls) - nlls).abs().max())
        for found, nlls in zip(cold, expected, strict=True)
    )
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    bundled = sorted(path.parent.name for path in CHECKPOINTS.glob("[!.]*/config.json"))
    parser.add_argument("--models", nargs="+", default=bundled)
    parser.add_argument("--tree-mb", type=int, default=64)
    parser.add_argument("--warm-s", type=float, default=10, help=f"six times that for {DEFAULT}")
    options = parser.parse_args()
    torch.set_num_threads(1)
    machine = describe_machine()
    print(machine)
    titles = ("plain float32", "plain float64", "cold", "warm", "warm / float32", "/ float64")
    print(f"{'words/s':<14}" + "".join(f"{title:>15}" for title in titles) + "  differs by")
    results = {}
    for model_id in options.models:
        warm_s = options.warm_s * (6 if model_id == DEFAULT else 1)
        row = results[model_id] = measure(model_id, options.tree_mb << 20, warm_s)
        single, double = row["plain_float32"], row["plain_float64"]
        rates = f"{single:>15,.0f}{double:>15,.0f}{row['cold']:>15,.0f}{row['warm']:>15,.0f}"
        times = f"{row['warm'] / single:>14.1f}x{row['warm'] / double:>14.1f}x"
        print(f"{model_id:<14}{rates}{times}  {row['largest_difference']:.1e}", flush=True)
    print(json.dumps({"benchmark": "scoring", "machine": machine, "results": results}))


if __name__ == "__main__":
    main()

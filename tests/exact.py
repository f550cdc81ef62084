"""Exact probabilities, by enumeration, to hold samples against.

Everything here goes through `forward` over whole sequences: a path that the
sampler does not use.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import stats

from models.base import LanguageModel
from models.checkpoint import Checkpoint, load_checkpoint
from models.generation import Sampler
from models.request import MAX_JOB_NAMES, GenerationRequest, Job
from models.sampling import SamplingParams, log_softmax, probabilities
from models.vocabulary import BOUNDARY

Array = NDArray[np.float64]

CHECKPOINTS = Path(__file__).parent.parent / "checkpoints"


def bundled_ids(*kinds: str) -> list[str]:
    """The ids of the bundled checkpoints of these kinds, sorted."""
    paths = sorted(CHECKPOINTS.glob("[!.]*/config.json"))
    return [p.parent.name for p in paths if json.loads(p.read_bytes())["corpus"]["kind"] in kinds]


def bundled(model_id: str) -> Checkpoint:
    """A bundled checkpoint, as served."""
    return load_checkpoint(CHECKPOINTS / model_id)


@torch.inference_mode()
def next_probabilities(
    model: LanguageModel, prefixes: NDArray[np.int64], sampling: SamplingParams
) -> Array:
    """(N, V) next-character distributions after (N, T) prefixes of one length."""
    inputs = np.pad(prefixes, ((0, 0), (1, 0)), constant_values=BOUNDARY)
    rows = []
    for start in range(0, len(inputs), 8192):
        logits = model(torch.from_numpy(inputs[start : start + 8192]))[:, -1]
        rows.append(probabilities(log_softmax(logits.numpy()), sampling))
    return np.concatenate(rows)


def by_length(
    model: LanguageModel, sampling: SamplingParams, longest: int, at_least: float = 0.0
) -> Iterator[tuple[NDArray[np.int64], Array, Array]]:
    """For each length from 0 to `longest`: prefixes, their probabilities, those of ending there.

    Prefixes of a probability not above `at_least` are left out, and so are all that
    go on from them.
    """
    prefixes, probs = np.zeros((1, 0), dtype=np.int64), np.ones(1)
    for length in range(longest + 1):
        following = probs[:, None] * next_probabilities(model, prefixes, sampling)  # (N, V)
        yield prefixes, probs, following[:, BOUNDARY].copy()
        following[:, BOUNDARY] = 0.0
        kept, characters = np.nonzero(following > at_least)
        if length == longest or not len(kept):
            return
        prefixes = np.concatenate([prefixes[kept], characters[:, None]], axis=1)
        probs = following[kept, characters]


def likeliest_names(
    checkpoint: Checkpoint, sampling: SamplingParams, n: int, at_least: float
) -> dict[str, float]:
    """The n most probable names with their probabilities, all of which exceed `at_least`."""
    found: dict[str, float] = {}
    limit = checkpoint.model.max_length
    assert limit is not None
    for prefixes, _, ending in by_length(checkpoint.model, sampling, limit, at_least):
        for prefix, prob in zip(prefixes.tolist(), ending.tolist(), strict=True):
            if prefix and prob > at_least:
                found[checkpoint.vocabulary.decode(prefix)] = prob
    assert len(found) >= n, f"only {len(found)} names above {at_least}"
    return dict(sorted(found.items(), key=lambda item: -item[1])[:n])


def sample(
    checkpoint: Checkpoint, sampling: SamplingParams, n: int, seed: int = 20261121
) -> tuple[list[str], int]:
    """At least n names of a stream, and how many draws of it they took.

    They come by every way there is: some from a tree that is full, the others by drafts.
    """
    names: list[str] = []
    offset = 0
    served = checkpoint.model, checkpoint.vocabulary
    sampler = Sampler(*served, tree_bytes=2_000_000)
    while not sampler.grown:
        sampler.grow()
    while len(names) < n:
        job = Job(GenerationRequest(seed, MAX_JOB_NAMES, offset, sampling, scores=False), *served)
        sampler.add(job)
        while not job.done:
            sampler.step()
        names += [drawn.name for drawn in job.result().names]
        offset = job.result().next_offset
    return names, offset


def chi_square(observed: Sequence[float], expected: Sequence[float], draws: int) -> float:
    """The p-value of counts against expected probabilities, in `draws` draws.

    What the listed cells leave of the draws is one more cell. Cells expected fewer
    than 5 times are put together, with the smallest other one if need be; a count
    where nothing was expected at all has p-value 0.
    """
    counts = np.append(np.asarray(observed, float), draws - np.sum(observed))
    wanted = np.append(np.asarray(expected, float), 1 - np.sum(expected)) * draws
    if counts[wanted < 1e-6].any():
        return 0.0
    order = np.argsort(wanted)
    together = max(int((wanted < 5).sum()), 1)
    while wanted[order[:together]].sum() < 5:
        together += 1
    few, many = order[:together], order[together:]
    counts = np.append(counts[many], counts[few].sum())
    wanted = np.append(wanted[many], wanted[few].sum())
    return float(stats.chisquare(counts, wanted).pvalue)


def count_prefixes(names: Iterable[str], length: int) -> Counter[str]:
    """How many names begin with each string of `length` characters."""
    return Counter(name[:length] for name in names if len(name) >= length)

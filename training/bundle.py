"""From a recipe and a corpus to a checkpoint on disk, evaluated and documented."""

import datetime
import platform
import subprocess
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch

from models.checkpoint import Checkpoint, Metadata, save_checkpoint
from models.vocabulary import Vocabulary
from training.corpus import Corpus, Split, split_corpus
from training.evaluate import evaluate, evaluate_split
from training.fit import Fitted, Report, fit
from training.names import NAMES_LICENCE, NAMES_SHA256, NAMES_SOURCE
from training.recipes import Counting, Recipe

_REFERENCE_WORDS = 16


def bundle(
    name: str,
    recipe: Recipe,
    corpus: Corpus,
    out: Path,
    *,
    splits: Sequence[str],
    seed: int,
    device: str = "cpu",
    report: Report = lambda row: None,
) -> dict[str, Any]:
    """Fit a recipe on the training part of each split, and keep the first one's model.

    The splits are fitted side by side, each in one process on one thread.

    Args:
        name: the recipe's name, for the record.
        recipe: what to fit.
        corpus: on which.
        out: the checkpoint's folder; replaced atomically.
        splits: names of splits; the first one's model is the one that is kept,
            unless the recipe counts over the whole corpus.
        seed: of initialisation, data order and dropout.
        device: `cpu` or `cuda`.
        report: called with each entry of the curve of the model that is kept.

    Returns:
        The evaluation, by split.

    Raises:
        CorpusError: a split or a line does not fit the recipe.
    """
    vocabulary = Vocabulary.of(corpus.lines)
    parts = [split_corpus(corpus.lines, split) for split in splits]
    work = partial(_fit_split, recipe, vocabulary, seed=seed, device=device)
    with ProcessPoolExecutor(len(parts), mp_context=get_context("spawn")) as pool:
        others = [pool.submit(work, part) for part in parts[1:]]
        fitted, figures = work(parts[0], report=report)
        evaluation = {parts[0].name: figures}
        for part, future in zip(parts[1:], others, strict=True):
            evaluation[part.name] = future.result()[1]
    names: Sequence[str] = parts[0].train
    whole = isinstance(recipe.method, Counting) and recipe.method.whole_corpus
    if whole:
        names = corpus.lines
        # Its curve stays the held-out one: nothing is held out of the whole corpus.
        whole_fit = fit(recipe, vocabulary, names, parts[0].dev, seed=seed)
        fitted = replace(whole_fit, metrics=fitted.metrics)
        evaluation["whole"] = evaluate(fitted.model, vocabulary, {"train": names})
    metadata = Metadata(
        corpus=_describe(corpus),
        training=_record(name, recipe, fitted, seed, "whole" if whole else splits[0]),
        evaluation=evaluation,
    )
    checkpoint = Checkpoint(
        architecture=recipe.architecture,
        model=fitted.model,
        vocabulary=vocabulary,
        metadata=metadata,
        training_names=frozenset(names),
        metrics=fitted.metrics,
    )
    distinct = sorted(set(corpus.lines))
    save_checkpoint(out, checkpoint, distinct[:: max(1, len(distinct) // _REFERENCE_WORDS)])
    return evaluation


def _fit_split(
    recipe: Recipe,
    vocabulary: Vocabulary,
    split: Split,
    *,
    seed: int,
    device: str,
    report: Report = lambda row: None,
) -> tuple[Fitted, dict[str, float]]:
    """Fit on a split's train, choose on its dev, look at its test once."""
    # More threads lose more to waiting for one another than they win at these sizes.
    torch.set_num_threads(1)
    fitted = fit(
        recipe, vocabulary, split.train, split.dev, seed=seed, device=device, report=report
    )
    return fitted, evaluate_split(fitted.model, vocabulary, split)


def _describe(corpus: Corpus) -> dict[str, Any]:
    known = corpus.sha256 == NAMES_SHA256
    return corpus.describe() | {
        "source": NAMES_SOURCE if known else None,
        "licence": NAMES_LICENCE if known else None,
    }


def _record(name: str, recipe: Recipe, fitted: Fitted, seed: int, part: str) -> dict[str, Any]:
    """The training record of a checkpoint."""
    return {
        "recipe": name,
        "settings": recipe.settings(),
        "fitted_on": part,
        "seed": seed,
        "best_step": fitted.best_step,
        "seconds": round(fitted.seconds, 1),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "commit": _commit(),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
    }


def _commit() -> str | None:
    """The commit of the source that is training, where it is a git checkout."""
    try:
        found = subprocess.run(
            ["git", "rev-parse", "HEAD"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return None
    return found.stdout.strip() if found.returncode == 0 else None

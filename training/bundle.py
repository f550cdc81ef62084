"""From a recipe and a corpus to a checkpoint on disk, evaluated, pictured and documented."""

import datetime
import platform
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from models.checkpoint import (
    Checkpoint,
    Metadata,
    load_checkpoint,
    replace_held_out,
    replace_plots,
    save_checkpoint,
)
from models.vocabulary import Vocabulary
from training.agreement import agree, source_sha256
from training.corpus import Corpus, Split
from training.evaluate import evaluate, evaluate_split
from training.fit import Fitted, fit
from training.held_out import measure_held_out
from training.plots import draw_plots
from training.recipes import Counting, FullBatch, Recipe
from training.run import Run, ignore
from training.sources import KNOWN
from training.stopping import Stop
from training.workers import Asked, side_by_side

_REFERENCE_WORDS = 16
_REFERENCE_LENGTH = 24
"""Characters of a known answer from running text."""


@dataclass(frozen=True)
class Bundled:
    """What came of it.

    Attributes:
        evaluation: nats per character, by split and part.
        finished: False if it was asked to stop; the checkpoint holds the best so far,
            and the same call goes on from there.
        kept: whether the checkpoint that was there has stayed: it was asked to stop before the
            first look at dev, and has nothing better.
    """

    evaluation: dict[str, Any]
    finished: bool
    kept: bool


def state_folder(out: Path) -> Path:
    """Where the state of unfinished runs for a checkpoint is kept; no server takes it for one."""
    return out.parent / f".{out.name}.run"


def bundle(
    name: str,
    recipe: Recipe,
    corpus: Corpus,
    out: Path,
    *,
    splits: Sequence[str],
    seed: int,
    run: Run = Run(),
) -> Bundled:
    """Fit a recipe on the training part of each split, and keep the first one's model.

    The splits are fitted side by side, each in one process on one thread; one after
    the other where several processes work together on each (torchrun).

    Args:
        name: the recipe's name, for the record.
        recipe: what to fit.
        corpus: on which; running text has but one split, whatever `splits` says.
        out: the checkpoint's folder; replaced atomically, see `Bundled.kept`.
        splits: names of splits; the first one's model is the one that is kept,
            unless the recipe takes the whole corpus.
        seed: of initialisation, data order and dropout.
        run: how and where; `report` gets the curve of the model that is kept.

    Raises:
        CorpusError: a split or a line does not fit the recipe.
        ResumeError: an unfinished run for `out` has other data or settings.
        DisagreementError: the processes of the run's group were not all given the same.
        LostProcessError: one of them has gone.
    """
    if run.group.size > 1:
        agree(run.group, _plan(recipe, corpus, splits, seed, run))
    vocabulary = corpus.vocabulary
    parts = corpus.split(splits)
    fitted, evaluation, finished = _fit_splits(recipe, vocabulary, parts, out, seed, run)
    names: Sequence[str] = parts[0].train
    whole = isinstance(recipe.method, Counting | FullBatch) and recipe.method.whole_corpus
    if whole:
        names = corpus.items
        # Its curve stays the held-out one: nothing is held out of the whole corpus.
        whole_fit = fit(recipe, vocabulary, names, parts[0].dev, seed=seed)
        fitted = replace(whole_fit, metrics=fitted.metrics)
        evaluation["whole"] = evaluate(fitted.model, vocabulary, {"train": names})
    kept = not finished and not fitted.metrics and out.exists()
    if run.group.rank == 0 and not kept:
        record = _record(name, recipe, fitted, seed, "whole" if whole else parts[0].name)
        checkpoint = Checkpoint(
            architecture=recipe.architecture,
            model=fitted.model,
            vocabulary=vocabulary,
            metadata=Metadata(_describe(corpus), record | {"finished": finished}, evaluation),
            training_names=frozenset(names) if vocabulary.ends else frozenset(),
            metrics=fitted.metrics,
        )
        save_checkpoint(out, checkpoint, _reference_words(corpus))
        # Only then: a fault in scoring or drawing must not cost what was trained.
        saved = load_checkpoint(out)
        replace_held_out(out, measure_held_out(saved, corpus))
        replace_plots(out, draw_plots(saved, corpus.items))
    run.group.from_rank(0, None)  # no host forgets the run while another may need it
    if finished and run.group.local_rank == 0:
        shutil.rmtree(state_folder(out), ignore_errors=True)
    return Bundled(evaluation, finished, kept)


def _plan(
    recipe: Recipe, corpus: Corpus, splits: Sequence[str], seed: int, run: Run
) -> dict[str, Any]:
    """What all processes of a group must have been given alike."""
    values = asdict(recipe)
    return {
        **values.pop("method"),
        **values,
        "corpus": corpus.sha256,
        "splits": " ".join(splits),
        "seed": seed,
        "device": run.device,
        "precision": run.precision,
        "torch": str(torch.__version__),
        "source": source_sha256(),
    }


def _fit_splits(
    recipe: Recipe, vocabulary: Vocabulary, parts: Sequence[Split], out: Path, seed: int, run: Run
) -> tuple[Fitted, dict[str, Any], bool]:
    """The first split's model, the evaluation by split, and whether all came to their end."""
    work = partial(_fit_split, recipe, vocabulary, state_folder(out), seed)
    quiet = replace(run, report=ignore)
    if run.group.size > 1:
        with Stop() as stop:
            found = [work(quiet if i else run, part, stop) for i, part in enumerate(parts)]
        (fitted, figures), others = found[0], [(fit.finished, nlls) for fit, nlls in found[1:]]
    else:
        (fitted, figures), others = side_by_side(
            partial(work, run, parts[0]),
            [partial(_fit_other, work, quiet, part) for part in parts[1:]],
        )
    names = [part.name for part in parts]
    evaluation = dict(zip(names, [figures, *(nlls for _, nlls in others)], strict=True))
    return fitted, evaluation, fitted.finished and all(finished for finished, _ in others)


_FitSplit = Callable[[Run, Split, Asked], tuple[Fitted, dict[str, float]]]


def _fit_split(
    recipe: Recipe,
    vocabulary: Vocabulary,
    folder: Path,
    seed: int,
    run: Run,
    split: Split,
    stop: Asked,
) -> tuple[Fitted, dict[str, float]]:
    """Fit on a split's train, choose on its dev, look at its test once."""
    # More threads lose more to waiting for one another than they win at these sizes.
    torch.set_num_threads(1)
    own = replace(run, state=folder / f"{split.name}.pt", stop=stop)
    fitted = fit(recipe, vocabulary, split.train, split.dev, seed=seed, run=own)
    return fitted, evaluate_split(fitted.model, vocabulary, split)


def _fit_other(
    work: _FitSplit, run: Run, split: Split, stop: Asked
) -> tuple[bool, dict[str, float]]:
    """Fit on a split whose model is not kept: whether it came to its end, and its NLLs."""
    fitted, figures = work(run, split, stop)
    return fitted.finished, figures


def _reference_words(corpus: Corpus) -> list[str]:
    """A few items whose NLLs become the known answers."""
    if corpus.kind == "text":
        (text,) = corpus.items
        starts = range(0, len(text) - _REFERENCE_LENGTH, len(text) // _REFERENCE_WORDS)
        return [text[start : start + _REFERENCE_LENGTH] for start in starts]
    distinct = sorted(set(corpus.items))
    return distinct[:: max(1, len(distinct) // _REFERENCE_WORDS)]


def _describe(corpus: Corpus) -> dict[str, Any]:
    return corpus.describe() | KNOWN.get(corpus.sha256, {"source": None, "licence": None})


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

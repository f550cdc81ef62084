"""The page of all models, as Markdown: what they are, their NLLs, what they draw, how made."""

import re
import shlex
from collections.abc import Iterable, Sequence
from typing import Any

from models.request import MAX_NAMES
from training.compare import (
    NOVELTY_SEED,
    SAMPLE_SEED,
    UNPENALISED_STEPS,
    Entry,
    LectureCheck,
)
from training.corpus import SPLITS
from training.published import COUNTED, FIGURES, LECTURE_LOSSES, PAPERS, SOURCES, Figure
from training.recipes import RECIPES, Descent
from training.sources import NAMES_SHA256

_PARTS = {"train": "train", "dev": "dev", "test": "test", "test_unseen": "test, unseen"}
_SPLITS = {
    "makemore": (
        "makemore's split",
        "makemore's own 1,000 test names, and the 1,000 before them for dev. Names that the file "
        "repeats may be in train and test at once, so these figures compare with published ones, "
        "but flatter; *unseen* are the test names that are in no other part.",
    ),
    "clean": (
        "The clean split",
        "Repeats are removed first: no name is in two parts. A tenth is test, a tenth dev.",
    ),
    "lecture": (
        "The lectures' split",
        "The file's lines shuffled with seed 42 and cut at 80% and 90%, repeats and all.",
    ),
    "whole": ("The whole corpus", "Fitted on every name, nothing held out."),
    "text": ("Running text", "The last tenth of the text is dev; there is no test."),
}


def write_page(
    entries: Sequence[Entry],
    check: LectureCheck,
    corpus_sha256: str,
    command: str,
    picture: str | None,
) -> str:
    """The page.

    Args:
        entries: the models, in the order of its rows; at least one.
        check: of the corpus.
        corpus_sha256: of the names that `check` and novelty are about.
        command: that made this page.
        picture: the address of the drawing of test NLLs; None: there is none.
    """
    sections = [
        "# Models",
        "Every figure here comes from the checkpoints themselves:",
        _block(command, "console"),
        *([f"![Test NLL of every model]({picture})"] if picture else []),
        _overview(entries),
        "## NLL",
        "Nats per character, the end of a name included; less is better. Exact: every character "
        "of a part counts once. A table's figures are those of models fitted on that split's "
        "train, the best step chosen on dev. The lowest of a held-out part is bold.",
        *_nll_tables(entries),
        *_sources(entries),
        *_novelty(entries),
        _lecture(check, corpus_sha256),
        _samples(entries),
        _commands(entries),
    ]
    return "\n\n".join(sections) + "\n"


def _overview(entries: Sequence[Entry]) -> str:
    rows = []
    for entry in entries:
        metadata = entry.checkpoint.metadata
        name, address = PAPERS[entry.checkpoint.architecture]
        rows.append(
            [
                _code(entry.id),
                entry.checkpoint.architecture,
                f"[{name}]({address})",
                f"{entry.checkpoint.model.parameter_count:,}",
                f"{entry.multiply_adds:,}",
                _code(str(metadata.corpus.get("name", "?"))),
                _duration(metadata.training.get("seconds")),
            ]
        )
    header = [
        "model",
        "architecture",
        "from",
        "parameters",
        "multiply-adds",
        "corpus",
        "trained in",
    ]
    note = (
        "Multiply-adds are those of the matrix products for one character as served, counted by "
        "torch; a table's look-up has none. Training times are as recorded, on one thread a split "
        "or one GPU, beside whatever else the machine did."
    )
    return f"{_table(header, rows, right={3, 4, 6})}\n\n{note}"


def _nll_tables(entries: Sequence[Entry]) -> list[str]:
    """A table for each split of each corpus: no other NLLs compare."""
    groups: dict[tuple[str, str], list[Entry]] = {}
    for entry in entries:
        corpus = entry.checkpoint.metadata.corpus.get("sha256", "")
        for split in entry.checkpoint.metadata.evaluation:
            groups.setdefault((corpus, split), []).append(entry)
    order = list(_SPLITS)
    ordered = sorted(groups, key=lambda key: order.index(key[1]) if key[1] in order else len(order))
    return [_nll_table(split, groups[corpus, split]) for corpus, split in ordered]


def _nll_table(split: str, entries: Sequence[Entry]) -> str:
    found = {entry.id: entry.checkpoint.metadata.evaluation[split] for entry in entries}
    parts = [part for part in _PARTS if any(part in nlls for nlls in found.values())]
    best = {
        part: min(nlls[part] for nlls in found.values() if part in nlls)
        for part in parts
        if part != "train" and len(found) > 1
    }
    published = {entry.id: _published(entry, split) for entry in entries}
    rows = [
        [
            _code(model),
            *(_nll(nlls.get(part), best.get(part)) for part in parts),
            *([published[model]] if any(published.values()) else []),
        ]
        for model, nlls in found.items()
    ]
    header = ["model", *(_PARTS[part] for part in parts)]
    if any(published.values()):
        header.append("published")
    title, note = _SPLITS.get(split, (split, ""))
    corpus = entries[0].checkpoint.metadata.corpus.get("name", "?")
    table = _table(header, rows, right=set(range(1, len(parts) + 1)))
    return "\n\n".join(filter(None, [f"### {title}: {corpus}", note, table]))


def _figures(entry: Entry) -> tuple[Figure, ...]:
    """What others have published of its recipe, where it was fitted on the same names."""
    same = entry.checkpoint.metadata.corpus.get("sha256") == NAMES_SHA256
    return FIGURES.get(entry.recipe, ()) if same else ()


def _published(entry: Entry, split: str) -> str:
    figures = (figure for figure in _figures(entry) if figure.split == split)
    return ", ".join(f"{_PARTS[f.part]} {f.nll:.5g} ({f.source})" for f in figures)


def _sources(entries: Sequence[Entry]) -> list[str]:
    named = {figure.source for entry in entries for figure in _figures(entry)}
    if not named:
        return []
    lines = [f"- {name}: {text}." for name, text in SOURCES.items() if name in named]
    return ["Where the published figures are from:", "\n".join(lines)]


def _novelty(entries: Sequence[Entry]) -> list[str]:
    rows = [
        [_code(entry.id), *(f"{share:.1%}" for share in entry.novelty)]
        for entry in entries
        if entry.novelty
    ]
    if not rows:
        return []
    note = (
        f"Of {MAX_NAMES:,} names drawn with seed {NOVELTY_SEED}: how many are in makemore's train, "
        "how many are held-out names that it lacks, and how many are in the file nowhere."
    )
    header = ["model", "in train", "in dev or test", "new"]
    return ["## Novelty", note, _table(header, rows, right={1, 2, 3})]


def _lecture(check: LectureCheck, corpus_sha256: str) -> str:
    """Lecture 2's own figures beside ours, made while the page was."""
    same = corpus_sha256 == NAMES_SHA256
    rows = [
        [f"neural bigram, loss with its penalty after {step} steps", f"{check.losses[step]:.4f}",
         f"{theirs:.4f}"]
        for step, theirs in LECTURE_LOSSES.items()
    ]  # fmt: skip
    rows += [
        [f"the same without penalty, NLL after {UNPENALISED_STEPS:,} steps",
         f"{check.unpenalised_nll:.4f}", ""],
        ["counts without smoothing, NLL", f"{check.counted_nll:.4f}", f"{COUNTED:.4f}"],
    ]  # fmt: skip
    header = ["over every name", "here", "lecture"]
    note = (
        "Made anew with this page, from the lecture's first weights: without a penalty, gradient "
        "descent goes where counting is at once."
    )
    shown = (header, rows) if same else (header[:2], [row[:2] for row in rows])
    return f"## Lecture 2, made anew\n\n{note}\n\n{_table(*shown, right={1, 2})}"


def _samples(entries: Sequence[Entry]) -> str:
    shown = [f"## Samples\n\nThe first of seed {SAMPLE_SEED}, not chosen."]
    for entry in entries:
        if entry.checkpoint.vocabulary.ends:
            shown.append(f"**{_code(entry.id)}**: " + ", ".join(map(_code, entry.samples)))
        else:
            shown.append(f"**{_code(entry.id)}**:\n\n" + _block("\n".join(entry.samples), "text"))
    return "\n\n".join(shown)


def _commands(entries: Sequence[Entry]) -> str:
    lines = [line for entry in entries if (line := _command(entry))]
    if not lines:
        return "## How they were fitted\n\nBy recipes that are not known here."
    note = (
        "The first split's model is the one that is served and drawn from, unless its recipe "
        "counts or fits the whole corpus. [Training](training.md) tells the rest."
    )
    return f"## How they were fitted\n\n{_block(chr(10).join(lines), 'console')}\n\n{note}"


def _command(entry: Entry) -> str:
    """The command that fits it again, as far as it is recorded."""
    training = entry.checkpoint.metadata.training
    if entry.recipe not in RECIPES:
        return ""
    words = ["python", "-m", "training", "fit", "--recipe", entry.recipe]
    evaluated = [split for split in SPLITS if split in entry.checkpoint.metadata.evaluation]
    first = [split for split in evaluated if split == training.get("fitted_on")]
    if evaluated:
        words += ["--split", *dict.fromkeys([*first, *evaluated])]
    method = RECIPES[entry.recipe]().method
    steps = training.get("settings", {}).get("steps")
    if isinstance(method, Descent) and steps not in (None, method.steps):
        words += ["--steps", str(steps)]
    words += ["--seed", str(training.get("seed")), "--out", str(entry.folder)]
    return f"$ {shlex.join(words)}"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]], right: set[int]) -> str:
    """A Markdown table; the columns of `right` are aligned there."""
    rule = ["--:" if i in right else "---" for i in range(len(header))]
    cells = ([cell.replace("|", "\\|") for cell in row] for row in (header, rule, *rows))
    return "\n".join(f"| {' | '.join(row)} |" for row in cells)


def _nll(nll: float | None, best: float | None) -> str:
    if nll is None:
        return ""
    return f"**{nll:.4f}**" if nll == best else f"{nll:.4f}"


def _duration(seconds: Any) -> str:
    if not isinstance(seconds, int | float):
        return ""
    if seconds < 120:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _code(text: str) -> str:
    """Text as a code span, whatever is in it."""
    fence = "`" * (_longest_run(text) + 1)
    return f"{fence} {text} {fence}" if len(fence) > 1 else f"`{text}`"


def _block(text: str, language: str) -> str:
    """Text as a fenced block, whatever is in it."""
    fence = "`" * max(3, _longest_run(text) + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def _longest_run(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from models.checkpoint import load_checkpoint
from models.errors import ConfigError
from models.generation import generate
from models.registry import ARCHITECTURES
from models.request import GenerationRequest
from tests.exact import CHECKPOINTS
from training.__main__ import main
from training.compare import (
    Entry,
    LectureCheck,
    check_lecture,
    find_checkpoints,
    measure,
    multiply_adds,
)
from training.corpus import SPLITS, read_corpus, split_corpus
from training.model_page import write_page
from training.published import FIGURES, PAPERS, SOURCES
from training.recipes import RECIPES
from training.sources import NAMES_SHA256

NAMES = [a + b + c for a in "kmtz" for b in "aei" for c in ("", "n", "ra", "lia", "s")]
CHECK = LectureCheck({100: 2.1, 200: 2.0}, 1.9, 1.8)
Make = Callable[..., Path]


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    path = tmp_path / "names.txt"
    path.write_text("\n".join(NAMES), encoding="utf-8")
    return path


@pytest.fixture
def folder(tmp_path: Path, corpus: Path) -> Path:
    """Two models of `corpus`, and a hidden folder."""
    folder = tmp_path / "checkpoints"
    for name in ("neural-bigram", "bigram"):
        arguments = ["fit", "--recipe", name, "--data", str(corpus), "--out", str(folder / name)]
        assert main([*arguments, "--split", "clean"]) == 0
    (folder / ".bigram.run").mkdir()
    return folder


def page(*entries: Entry, sha256: str = "") -> str:
    return write_page(entries, CHECK, sha256, "$ compare", "nll.svg")


def section(written: str, title: str) -> str:
    """What stands below a heading, up to the next."""
    return re.split(r"^#+ ", written.partition(f"# {title}\n")[2], flags=re.MULTILINE)[0]


def with_evaluation(entry: Entry, recipe: str, evaluation: dict[str, dict[str, float]]) -> Entry:
    """The entry as if names.txt had been fitted with these figures."""
    metadata = replace(
        entry.checkpoint.metadata,
        corpus={"name": "names.txt", "sha256": NAMES_SHA256},
        training={"recipe": recipe, "seed": 1},
        evaluation=evaluation,
    )
    return replace(entry, checkpoint=replace(entry.checkpoint, metadata=metadata))


def test_the_verb_writes_a_page_and_its_picture(
    folder: Path, corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "models.md"
    arguments = ["compare", str(folder), "--data", str(corpus)]
    assert main([*arguments, "--out", str(out)]) == 0
    written = out.read_text(encoding="utf-8")
    assert "![Test NLL of every model](nll.svg)" in written
    svg = (tmp_path / "nll.svg").read_text(encoding="utf-8")
    assert "prefers-color-scheme:dark" in svg
    assert f"python -m training compare {folder} --data {corpus} --out {out}" in written
    assert f"fit --recipe bigram --split clean --seed 3407 --out {folder / 'bigram'}" in written
    models = re.findall(r"^\| `(.*?)` \|", section(written, "Models"), re.MULTILINE)
    assert models == ["bigram", "neural-bigram"]
    recorded = load_checkpoint(folder / "bigram").metadata.evaluation
    clean = section(written, "The clean split: names.txt")
    assert f"{recorded['clean']['dev']:.4f}" in clean
    assert f"{recorded['whole']['train']:.4f}" in section(written, "The whole corpus: names.txt")
    assert "published" not in clean  # that is of another names.txt
    assert "lecture |" not in section(written, "Lecture 2, made anew")
    capsys.readouterr()
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    assert "![" not in printed
    assert section(printed, "Samples") == section(written, "Samples")


def test_samples_and_novelty_are_those_of_the_models(folder: Path, corpus: Path) -> None:
    entry = measure(folder / "bigram", read_corpus(corpus))
    model, vocabulary = entry.checkpoint.model, entry.checkpoint.vocabulary
    ten = generate(model, vocabulary, GenerationRequest(42, 10)).names
    assert entry.samples == tuple(name.name for name in ten)
    assert entry.novelty is not None
    assert sum(entry.novelty) == pytest.approx(1.0)
    split = split_corpus(NAMES, "makemore")
    drawn = [name.name for name in generate(model, vocabulary, GenerationRequest(0, 1000)).names]
    in_train = sum(name in split.train for name in drawn) / 1000
    in_held_out = sum(name in (*split.dev, *split.test) for name in drawn) / 1000
    assert entry.novelty[:2] == pytest.approx((in_train, in_held_out))


def test_a_model_of_another_corpus_has_no_novelty_and_a_table_of_its_own(
    folder: Path, corpus: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.txt"
    other.write_text("\n".join(NAMES[5:]), encoding="utf-8")
    arguments = ["fit", "--recipe", "bigram", "--data", str(other), "--split", "clean"]
    assert main([*arguments, "--out", str(tmp_path / "second" / "other")]) == 0
    found = find_checkpoints([folder, tmp_path / "second"])
    entries = [measure(path, read_corpus(corpus)) for path in found]
    assert [entry.novelty is None for entry in entries] == [False, False, True]
    written = page(*entries)
    assert "`other`" not in section(written, "Novelty")
    assert "`other`" not in section(written, "The clean split: names.txt")
    assert "`other`" in section(written, "The clean split: other.txt")


def test_running_text_gets_one_sample_in_a_block(make_checkpoint: Make, corpus: Path) -> None:
    entry = measure(make_checkpoint("gru", kind="text", alphabet="a\n`b"), read_corpus(corpus))
    assert entry.novelty is None
    samples = section(page(entry), "Samples")
    fence = re.search(r"^(`{3,})text\n(.*)\n\1$", samples, re.MULTILINE | re.DOTALL)
    assert fence is not None
    assert fence[2] == entry.samples[0]
    assert fence[1] not in fence[2]


def test_names_with_marks_of_markdown_stay_names(make_checkpoint: Make, corpus: Path) -> None:
    entry = measure(make_checkpoint("bigram"), read_corpus(corpus))
    written = page(replace(entry, folder=Path("a|b"), samples=("*a*", "b`c", "`", "<i>")))
    assert "`*a*`, `` b`c ``, `` ` ``, `<i>`" in section(written, "Samples")
    assert "| `a\\|b` |" in section(written, "Models")


def test_published_figures_stand_beside_ours_of_the_same_split(
    make_checkpoint: Make, corpus: Path
) -> None:
    entry = measure(make_checkpoint("transformer"), read_corpus(corpus))
    nlls = {"train": 1.5, "dev": 1.6, "test": 1.75, "test_unseen": 1.8}
    written = page(with_evaluation(entry, "transformer", {"makemore": nlls, "clean": nlls}))
    assert "| 1.5000 | 1.6000 | 1.7500 | 1.8000 | test 1.9655 (makemore's code), test 1.92" in (
        section(written, "makemore's split: names.txt")
    )
    assert "published" not in section(written, "The clean split: names.txt").splitlines()[2]
    written = page(with_evaluation(entry, "mlp-lecture", {"lecture": nlls}))
    lecture = section(written, "The lectures' split: names.txt")
    assert "train 2.126 (lectures), dev 2.17 (lectures)" in lecture
    assert "- lectures: " in written
    assert "- makemore's code" not in written


def test_the_lowest_held_out_nll_is_bold(make_checkpoint: Make, corpus: Path) -> None:
    entry = measure(make_checkpoint("gru"), read_corpus(corpus))
    better, worse = (
        replace(
            with_evaluation(entry, "gru", {"clean": {"train": nll, "dev": nll + 1}}),
            folder=Path(f"m{nll}"),
        )
        for nll in (1.0, 2.0)
    )
    clean = section(page(better, worse), "The clean split: names.txt")
    assert "| `m1.0` | 1.0000 | **2.0000** |" in clean
    assert "| `m2.0` | 2.0000 | 3.0000 |" in clean


def test_a_shorter_run_is_told_with_its_command(make_checkpoint: Make, corpus: Path) -> None:
    entry = measure(make_checkpoint("gru"), read_corpus(corpus))
    metadata = replace(
        entry.checkpoint.metadata,
        training={"recipe": "gru", "seed": 7, "fitted_on": "makemore", "settings": {"steps": 9}},
        evaluation={"clean": {"dev": 2.0}, "makemore": {"dev": 2.0}},
    )
    written = page(replace(entry, checkpoint=replace(entry.checkpoint, metadata=metadata)))
    assert "--recipe gru --split makemore clean --steps 9 --seed 7 --out" in written


def test_a_checkpoint_without_records_still_has_its_row(
    make_checkpoint: Make, corpus: Path
) -> None:
    entry = measure(make_checkpoint("gru"), read_corpus(corpus))
    bare = replace(entry.checkpoint.metadata, corpus={}, training={}, evaluation={})
    written = page(replace(entry, checkpoint=replace(entry.checkpoint, metadata=bare)))
    assert "| `gru` | gru | [Cho et al. 2014]" in written
    assert "By recipes that are not known here." in written


def test_multiply_adds_are_those_of_the_weights_and_of_attention(make_model: Make) -> None:
    model, _ = make_model("gru", n_layer=1, n_embd=4, n_embd2=6)
    v = model.config.vocab_size
    assert multiply_adds(model) == 3 * 6 * (4 + 6) + 6 * v
    model, _ = make_model("transformer", n_layer=2, n_embd=8, n_head=2, block_size=9)
    assert multiply_adds(model) == 2 * (12 * 8 * 8 + 2 * 9 * 8) + 8 * model.config.vocab_size
    model, _ = make_model("bigram")
    assert multiply_adds(model) == 0


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_architecture_can_be_measured(
    architecture: str, make_checkpoint: Make, corpus: Path
) -> None:
    entry = measure(make_checkpoint(architecture), read_corpus(corpus))
    assert f"| `{architecture}` | {architecture} | [" in page(entry)
    assert (entry.multiply_adds > 0) == ("gram" not in architecture)


def test_every_architecture_has_its_paper_and_every_figure_a_recipe_and_a_source() -> None:
    assert set(PAPERS) == set(ARCHITECTURES)
    assert set(FIGURES) <= set(RECIPES)
    for figure in (figure for figures in FIGURES.values() for figure in figures):
        assert figure.source in SOURCES
        assert figure.split in (*SPLITS, "whole")


def test_the_lectures_figures_come_back(names_path: Path) -> None:
    check = check_lecture(read_corpus(names_path))
    assert {step: round(check.losses[step], 4) for step in (100, 200)} == {100: 2.49, 200: 2.483}
    assert round(check.counted_nll, 4) == 2.454
    assert 0 <= check.unpenalised_nll - check.counted_nll < 3e-4


def test_the_same_models_give_the_same_page(corpus: Path) -> None:
    torch.manual_seed(1)
    first = page(measure(CHECKPOINTS / "bigram", read_corpus(corpus)), sha256=NAMES_SHA256)
    torch.manual_seed(2)
    again = page(measure(CHECKPOINTS / "bigram", read_corpus(corpus)), sha256=NAMES_SHA256)
    assert first == again
    assert "| here | lecture |" in first


def test_two_checkpoints_of_one_name_are_refused(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name / "gru").mkdir(parents=True)
    with pytest.raises(ConfigError, match="two checkpoints are called gru"):
        find_checkpoints([tmp_path / "one", tmp_path / "two"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "nowhere: no such folder"),
        (["{tmp}/empty"], "empty: holds no checkpoints"),
        (["{tmp}/odd"], "odd/letters/manifest.json: cannot be read"),
        (["{tmp}/odd", "--out", "nowhere/models.md"], "there is no folder nowhere"),
        (["{tmp}/odd", "--out", "{tmp}/models.txt"], "must end in .md"),
        (["{tmp}/odd", "--out", "{tmp}/folder.md"], "a folder; give the name of a file"),
        (["{tmp}/odd", "--out", "{tmp}/docs/models.md"], "nll.svg: is there and is no SVG"),
        (["{tmp}/odd", "--data", "nowhere.txt"], "nowhere.txt: cannot be read"),
    ],
)
def test_a_mistake_is_said_in_a_line(
    arguments: list[str],
    said: str,
    corpus: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in ("empty/.hidden", "odd/letters", "folder.md", "docs"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "docs" / "nll.svg").write_text("Dear reader")
    given = [argument.replace("{tmp}", str(tmp_path)) for argument in arguments]
    assert main(["compare", "--data", str(corpus), *given]) == 1
    assert said in capsys.readouterr().err

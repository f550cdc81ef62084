"""`python -m training plots`, as a user runs it."""

from pathlib import Path

import pytest

from models.checkpoint import load_checkpoint, replace_plots
from models.plots import plot_title
from tests.training.conftest import run_training

NAMES = ["abc", "bad", "cab", "dab", "fad", "gab", "bag", "egg", "add", "fee", "ace", "beef"]
OLD = b'<svg xmlns="http://www.w3.org/2000/svg"><title>Old</title></svg>'


def files(folder: Path) -> dict[str, bytes]:
    """What a checkpoint holds beside its pictures and the manifest that names them."""
    return {path.name: path.read_bytes() for path in folder.glob("*.*") if path.stem != "manifest"}


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    path = tmp_path / "names.txt"
    path.write_text("\n".join(NAMES), encoding="utf-8")
    return path


def test_pictures_are_drawn_anew_and_nothing_else_changes(make_checkpoint, corpus) -> None:
    folder = make_checkpoint("transformer")
    replace_plots(folder, {"nll": OLD, "of-another-time": OLD})
    before, fingerprint = files(folder), load_checkpoint(folder).fingerprint
    done = run_training("plots", folder, "--data", corpus)
    assert done.returncode == 0, done.stderr
    assert files(folder) == before
    loaded = load_checkpoint(folder)
    assert loaded.fingerprint == fingerprint
    assert set(loaded.plots) == {"bigrams", "embeddings", "lengths", "nll"}
    assert plot_title(loaded.plots["nll"]) == "Negative log-likelihood"
    assert sorted(path.name for path in (folder / "plots").iterdir()) == [
        "bigrams.svg", "embeddings.svg", "lengths.svg", "nll.svg",
    ]  # fmt: skip
    assert "plots/nll.svg" in done.stdout


def test_a_text_model_s_pictures_are_drawn_from_its_text(make_checkpoint, tmp_path) -> None:
    folder = make_checkpoint("gru", kind="text", alphabet="abc \n")
    path = tmp_path / "text.txt"
    path.write_text("abc cab bac\n" * 100, encoding="utf-8")
    done = run_training("plots", folder, "--data", path)
    assert done.returncode == 0, done.stderr
    assert "Shares of characters" in load_checkpoint(folder).plots["lengths"].decode()


def test_another_corpus_than_the_one_fitted_on_is_refused(corpus) -> None:
    done = run_training("plots", "checkpoints/bigram", "--data", corpus)
    assert done.returncode == 1
    assert "error: names.txt: its sha256 is" in done.stderr
    assert "Give that file with --data" in done.stderr


def test_a_damaged_checkpoint_gets_no_pictures(make_checkpoint, corpus) -> None:
    folder = make_checkpoint("bigram")
    (folder / "reference.json").unlink()
    done = run_training("plots", folder, "--data", corpus)
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {folder / 'reference.json'}: cannot be read")
    assert not (folder / "plots").exists()

"""Held-out names that come with a fit, and `python -m training held-out`, as a user runs it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from models.checkpoint import Checkpoint, Metadata, load_checkpoint, replace_held_out, replace_plots
from models.scoring import score
from tests.training.conftest import NAMES, TEXT, run_training
from training.corpus import Corpus, Split, split_corpus
from training.held_out import measure_held_out

OLD = b'<svg xmlns="http://www.w3.org/2000/svg"><title>Old</title></svg>'
WORDS = tuple(a + b + c for a in "abcd" for b in "efg" for c in ("", "a", "fa"))


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    path = tmp_path / "names.txt"
    path.write_text("\n".join(NAMES * 2), encoding="utf-8")
    return path


def files(folder: Path) -> dict[str, bytes]:
    """All that a checkpoint holds, but for the manifest."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*.*")
        if path.name != "manifest.json"
    }


def held_out_of(split: Split) -> set[str]:
    return {*split.dev, *split.test} - set(split.train)


def test_a_fit_and_the_verb_keep_the_nlls_of_the_names_that_were_held_out(corpus, tmp_path) -> None:
    folder = tmp_path / "gru"
    given = ("--recipe", "gru", "--data", corpus, "--out", folder)
    done = run_training("fit", *given, "--split", "makemore", "--steps", 5)
    assert done.returncode == 0, done.stderr
    fitted, as_fitted = load_checkpoint(folder), files(folder)
    names = sorted(held_out_of(split_corpus(NAMES * 2, "makemore")))
    found = fitted.held_out
    assert found is not None
    assert names
    assert (found.split, found.parts, found.seen) == ("makemore", ("dev", "test"), False)
    scores = score(fitted.model, fitted.vocabulary, names)
    for length in {len(name) for name in names}:
        nlls = sorted(one.nll_per_char for one in scores if len(one.word) == length)
        assert found.nlls[length] == tuple(round(1000 * nll) for nll in nlls)
    assert sum(found.names.values()) == len(names)

    replace_held_out(folder, None)
    assert set(as_fitted) - set(files(folder)) == {"held_out.json"}
    done = run_training("held-out", folder, "--data", corpus)
    assert done.returncode == 0, done.stderr
    assert files(folder) == as_fitted
    assert load_checkpoint(folder).fingerprint == fitted.fingerprint
    assert f"saved {folder}: {len(names)} names of makemore\n" in done.stdout


def test_several_checkpoints_are_done_at_once_and_running_text_is_left(
    make_checkpoint, tmp_path
) -> None:
    path = tmp_path / "names.txt"
    path.write_text("\n".join(WORDS), encoding="utf-8")
    names = make_checkpoint("transformer")
    replace_plots(names, {"nll": OLD})
    text = make_checkpoint("gru", kind="text", alphabet="".join(sorted(set(TEXT))))
    before = files(text)
    done = run_training("held-out", names, text, "--data", path)
    assert done.returncode == 0, done.stderr
    assert "names of makemore, which it was fitted on" in done.stdout  # it says nothing else
    assert f"{text}: running text" in done.stdout
    assert files(text) == before
    loaded = load_checkpoint(names)
    assert loaded.held_out is not None
    assert loaded.plots == {"nll": OLD}


def test_another_corpus_than_the_one_fitted_on_is_refused(corpus) -> None:
    done = run_training("held-out", "checkpoints/bigram", "--data", corpus)
    assert done.returncode == 1
    assert "error: names.txt: its sha256 is" in done.stderr


@pytest.fixture
def fitted_on(make_checkpoint: Callable[..., Path]) -> Callable[..., Checkpoint]:
    """fitted_on("clean", names) -> a checkpoint that says so."""
    loaded = load_checkpoint(make_checkpoint("bigram"))

    def say(part: str, names: tuple[str, ...]) -> Checkpoint:
        metadata = Metadata(training={"fitted_on": part})
        return replace(loaded, metadata=metadata, training_names=frozenset(names))

    return say


def test_names_that_the_model_learned_are_left_out_and_each_is_counted_once(fitted_on) -> None:
    corpus = Corpus("names.txt", WORDS + WORDS[::2], "", 0)
    (split,) = corpus.split(["lecture"])
    names = held_out_of(split)
    assert 0 < len(names) < len({*split.dev, *split.test})
    found = measure_held_out(fitted_on("lecture", split.train), corpus)
    assert (found.split, found.seen) == ("lecture", False)
    assert sum(found.names.values()) == len(names)


def test_a_model_of_the_whole_corpus_says_that_it_has_seen_them(fitted_on) -> None:
    corpus = Corpus("names.txt", WORDS, "", 0)
    (split,) = corpus.split(["makemore"])
    found = measure_held_out(fitted_on("whole", WORDS), corpus)
    assert (found.split, found.seen) == ("makemore", True)
    assert sum(found.names.values()) == len({*split.dev, *split.test})


def test_where_every_name_was_learned_there_are_none(fitted_on) -> None:
    assert measure_held_out(fitted_on("clean", WORDS), Corpus("n.txt", WORDS, "", 0)) is None

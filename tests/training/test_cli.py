"""The command line as a user runs it, in processes of its own."""

import json
from pathlib import Path

import pytest
import torch

from models.checkpoint import load_checkpoint
from models.generation import generate
from models.request import GenerationRequest
from tests.exact import CHECKPOINTS
from tests.training.conftest import run_training
from training.corpus import split_corpus

NAMES = [a + b + c for a in ("K", "m", "Zo") for b in "aeë" for c in ("", "n", "ra", " d’Or")]


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    path = tmp_path / "names.txt"
    path.write_text("\n".join(NAMES * 2), encoding="utf-8")
    return path


def test_a_corpus_of_ones_own_is_fitted_in_one_command_and_can_be_served(
    corpus: Path, tmp_path: Path
) -> None:
    out = tmp_path / "mine"
    done = run_training(
        "fit", "--recipe", "bigram", "--data", corpus, "--out", out, "--split", "makemore", "clean"
    )
    assert done.returncode == 0, done.stderr
    checkpoint = load_checkpoint(out)
    assert checkpoint.vocabulary.characters == tuple(sorted(set("".join(NAMES))))
    assert checkpoint.training_names == set(NAMES)
    assert checkpoint.metadata.corpus["items"] == 2 * len(NAMES)
    assert checkpoint.metadata.corpus["distinct"] == len(NAMES)
    assert set(checkpoint.metadata.evaluation) == {"makemore", "clean", "whole"}
    assert checkpoint.metadata.training["recipe"] == "bigram"
    names = generate(checkpoint.model, checkpoint.vocabulary, GenerationRequest(1, 20)).names
    assert len(names) == 20


def test_evaluate_gives_the_figures_that_fit_recorded(corpus: Path, tmp_path: Path) -> None:
    fitted = run_training("fit", "--recipe", "bigram", "--data", corpus, "--out", tmp_path / "b")
    evaluated = run_training("evaluate", tmp_path / "b", "--data", corpus, "--split", "clean")
    assert fitted.returncode == evaluated.returncode == 0
    assert "may hold training names" in evaluated.stdout  # the bigram counted everything
    recorded = load_checkpoint(tmp_path / "b").metadata.evaluation["clean"]
    assert f"dev {recorded['dev']:.4f}" in fitted.stdout


def test_the_curve_is_reported_line_by_line(corpus: Path, tmp_path: Path) -> None:
    done = run_training("fit", "--recipe", "bigram", "--data", corpus, "--out", tmp_path / "b")
    row = json.loads(done.stderr.strip().splitlines()[-1])
    assert set(row) == {"step", "dev_nll"}
    (kept,) = load_checkpoint(tmp_path / "b").metrics
    assert kept == pytest.approx(row, rel=1e-6)  # float32's digits are kept


def test_the_first_split_given_is_the_one_whose_model_is_kept(corpus: Path, tmp_path: Path) -> None:
    out = tmp_path / "gru"
    splits = ("lecture", "clean", "lecture")
    done = run_training(
        "fit", "--recipe", "gru", "--data", corpus, "--out", out, "--split", *splits, "--steps", 9
    )
    assert done.returncode == 0, done.stderr
    checkpoint = load_checkpoint(out)
    assert list(checkpoint.metadata.evaluation) == ["clean", "lecture"]
    training = checkpoint.metadata.training
    assert (training["fitted_on"], training["best_step"]) == ("lecture", 9)
    assert training["settings"]["steps"] == 9
    assert [row["step"] for row in checkpoint.metrics] == [9]
    assert checkpoint.training_names == set(split_corpus(NAMES * 2, "lecture").train)
    again = run_training("evaluate", out, "--data", corpus)
    recorded = checkpoint.metadata.evaluation["lecture"]
    assert f"test {recorded['test']:.4f}" in again.stdout


def test_a_run_that_is_taken_up_with_other_settings_is_refused_until_it_is_begun_anew(
    corpus: Path, tmp_path: Path
) -> None:
    state = tmp_path / ".gru.run" / "clean.pt"
    state.parent.mkdir()
    state.write_bytes(b"half a sta")
    command = ["fit", "--recipe", "gru", "--data", corpus, "--out", tmp_path / "gru", "--steps", 3]
    done = run_training(*command)
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {state}: cannot be read: ")
    assert done.stderr.endswith("To begin anew, say --restart\n")
    assert not (tmp_path / "gru").exists()
    assert run_training(*command, "--restart").returncode == 0
    assert not state.parent.exists()


def test_names_of_one_character_are_fitted_and_drawn(tmp_path: Path) -> None:
    path = tmp_path / "names.txt"
    path.write_text("\n".join("a" * n for n in range(1, 21)))
    done = run_training(
        "fit", "--recipe", "cnn", "--data", path, "--out", tmp_path / "a", "--steps", 3
    )
    assert done.returncode == 0, done.stderr
    assert load_checkpoint(tmp_path / "a").vocabulary.characters == ("a",)


def test_explore_prints_its_report(corpus: Path) -> None:
    done = run_training("explore", "--data", corpus)
    assert done.returncode == 0
    assert f"names {2 * len(NAMES)}, distinct {len(NAMES)}" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["explore", "--data", "nowhere.txt"], 1, "error: nowhere.txt: cannot be read"),
        (
            ["fit", "--recipe", "lstm-9000", "--out", "x"],
            1,
            "error: unknown recipe 'lstm-9000'; known",
        ),
        (["fit", "--recipe", "bigram", "--out", "x", "--steps", "9"], 1, "error: --steps: bigram"),
        (["fit", "--recipe", "bigram", "--out", "x", "--split", "both"], 2, "lecture"),
        (["evaluate", "nowhere"], 1, "error: nowhere/manifest.json: cannot be read"),
        (["fit", "--recipe", "bigram", "--out", "x", "--seed", "-1"], 2, "allowed: 0 to"),
        ([], 2, "command"),
    ],
)
def test_a_mistake_gets_a_line_and_a_status_not_a_traceback(
    arguments: list[str], status: int, said: str
) -> None:
    done = run_training(*arguments)
    assert done.returncode == status
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not Path("x").exists()


def test_a_corpus_of_longer_names_than_the_model_holds_is_not_evaluated(tmp_path: Path) -> None:
    path = tmp_path / "names.txt"
    path.write_text("\n".join("abcdefghij"[i:] * 3 for i in range(10)))
    done = run_training("evaluate", CHECKPOINTS / "transformer", "--data", path)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "error: a line of 30 characters; the model holds 15"


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_device_that_is_not_there_is_said_in_a_line(corpus: Path, tmp_path: Path) -> None:
    out = tmp_path / "mine"
    done = run_training(
        "fit", "--recipe", "bigram", "--data", corpus, "--out", out, "--device", "cuda"
    )
    assert (done.returncode, out.exists()) == (1, False)
    assert done.stderr == "error: --device cuda: torch finds no CUDA device\n"


def test_an_output_folder_that_cannot_be_written_is_named(corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    done = run_training("fit", "--recipe", "bigram", "--data", corpus, "--out", tmp_path / "file")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "file" in done.stderr.splitlines()[-1]

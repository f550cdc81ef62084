"""python -m bulk score, with Dask's processes: the NLLs of the words of a file."""

import json
import os
import signal
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from bulk.__main__ import main
from models.checkpoint import load_checkpoint
from models.scoring import score
from tests.bulk.commands import LIMIT_S, complete, finish, hashes, parts, start, workers_of
from tests.exact import CHECKPOINTS

WORDS = [f"{a}{b}{c}{d}" for a in "abcdefghij" for b in "aeiou" for c in "klmnorst" for d in "aei"]
TIMES = 40
SHARD = 2_000


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """48,000 lines."""
    path = tmp_path_factory.mktemp("words") / "words.txt"
    path.write_text("".join(f"{word}\n" for word in WORDS * TIMES))
    return path


@pytest.fixture(scope="module")
def undisturbed(lines: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a job that nothing came between."""
    folder = tmp_path_factory.mktemp("undisturbed") / "scores"
    told = complete("score", "--words", lines, "--shard", SHARD, "--workers", 2, "--out", folder)
    assert told.endswith(" 48000 rows in 24 files\n")
    return folder


@pytest.mark.slow
def test_scores_are_those_of_the_model(undisturbed: Path) -> None:
    rows = pq.read_table(undisturbed).to_pylist()
    checkpoint = load_checkpoint(CHECKPOINTS / "bigram")
    expected = score(checkpoint.model, checkpoint.vocabulary, WORDS)
    assert [row["word"] for row in rows] == WORDS * TIMES
    assert [row["nll"] for row in rows] == [each.nll for each in expected] * TIMES
    assert [row["index"] for row in rows] == list(range(len(rows)))


@pytest.mark.slow
def test_the_job_knows_its_words_by_their_hash(undisturbed: Path, lines: Path) -> None:
    job = json.loads((undisturbed / "_job.json").read_bytes())
    assert job["kind"] == "score"
    assert job["request"]["n"] == 48_000
    assert job["request"]["sha256"] == hashes(lines.parent)[lines.name]
    said = pq.read_metadata(parts(undisturbed)[3]).metadata
    assert said[b"namewright.first_index"] == b"6000"
    assert said[b"namewright.fingerprint"].decode() == job["request"]["fingerprint"]
    assert b"namewright.seed" not in said


@pytest.mark.slow
def test_a_worker_and_then_the_run_killed_midway_change_nothing(
    undisturbed: Path, lines: Path, tmp_path: Path
) -> None:
    given = ("score", "--words", lines, "--shard", SHARD, "--workers", 2, "--out", tmp_path / "out")
    process = start("bulk", *given)
    until = time.monotonic() + LIMIT_S
    while not parts(tmp_path / "out"):
        assert time.monotonic() < until
        time.sleep(0.005)
    os.kill(workers_of(process)[0].pid, signal.SIGKILL)
    while len(parts(tmp_path / "out")) < 6:
        assert time.monotonic() < until
        time.sleep(0.005)
    process.kill()
    finish(process)
    assert not (tmp_path / "out" / "_manifest.json").exists()
    complete(*given)
    assert hashes(tmp_path / "out") == hashes(undisturbed)


@pytest.mark.slow
def test_other_words_in_the_same_folder_are_refused(undisturbed: Path, tmp_path: Path) -> None:
    before = hashes(undisturbed)
    other = tmp_path / "other.txt"
    other.write_text("emma\n")
    given = ("--words", other, "--shard", SHARD, "--out", undisturbed)
    status, told = finish(start("bulk", "score", *given))
    assert (status, told.count("\n")) == (2, 1)
    assert "is of another job (n is 48000 there, 1 here, sha256 is " in told
    assert hashes(undisturbed) == before


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--words", "nowhere.txt"], "[Errno 2] No such file or directory: "),
        (["--words", "README.md", "--shard", "0"], "--shard: is out of range"),
        (["--words", "README.md", "--model", "nope"], "--model: no such model"),
        (["--words", "README.md", "--seed", "7"], "unrecognized arguments: --seed 7"),
        ([], "the following arguments are required: --words"),
    ],
)
def test_an_error_is_one_line_and_nothing_is_written(
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    options: list[str],
    said: str,
) -> None:
    monkeypatch.setenv("NAMEWRIGHT_DEFAULT_MODEL", "bigram")
    try:
        status: int | str | None = main(["score", "--out", str(tmp_path / "out"), *options])
    except SystemExit as exited:
        status = exited.code
    told = capfd.readouterr().err
    assert status == 2
    assert told.startswith(f"error: {said}")
    assert told.count("\n") == 1
    assert not (tmp_path / "out").exists()

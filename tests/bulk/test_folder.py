"""A folder is one job's, and one run's at a time."""

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from bulk.errors import FolderError
from bulk.folder import JOB, MANIFEST, claimed, read_manifest, write_manifest
from bulk.job import Job
from bulk.part_file import Written
from models.storage import write_synced

REQUEST = {"seed": 7, "n": 100, "offset": 0, "model": "bigram", "fingerprint": "abc"}


def job(shard: int = 10, **other: Any) -> Job:
    return Job(
        {
            "schema": 1,
            "kind": "generate",
            "sampler_version": 2,
            "shard": shard,
            "request": REQUEST | other,
        }
    )


def claim(folder: Path, wanted: Job) -> None:
    with claimed(folder, wanted):
        pass


def test_a_folder_is_made_and_can_be_claimed_again_by_the_same_job(tmp_path: Path) -> None:
    folder = tmp_path / "some" / "where"
    claim(folder, job())
    before = (folder / JOB).read_bytes()
    claim(folder, job())
    assert (folder / JOB).read_bytes() == before


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (job(shard=20), "shard is 10 there, 20 here"),
        (job(seed=8), "seed is 7 there, 8 here"),
        (job(fingerprint="xyz", n=5), "fingerprint is 'abc' there, 'xyz' here, n is 100 there"),
        (job(top_k=3), "top_k is None there, 3 here"),
    ],
    ids=["shard", "seed", "several", "parameter"],
)
def test_another_job_is_refused_and_told_the_difference(
    tmp_path: Path, other: Job, said: str
) -> None:
    claim(tmp_path, job())
    with pytest.raises(FolderError, match=f"is of another job \\({said}"):
        claim(tmp_path, other)


def test_a_folder_that_holds_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(FolderError, match=r"holds thesis\.txt and no _job\.json"):
        claim(tmp_path, job())
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize("data", [b"", b"{", b"[1]", b'{"request": 5}', b"\xff"])
def test_a_damaged_description_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / JOB).write_bytes(data)
    with pytest.raises(FolderError, match=r"_job\.json: not the description of a job"):
        claim(tmp_path, job())


def test_two_runs_cannot_be_at_work_at_once(tmp_path: Path) -> None:
    with (
        claimed(tmp_path, job()),
        pytest.raises(FolderError, match="another run is at work"),
    ):
        claim(tmp_path, job())
    claim(tmp_path, job())


def test_of_two_runs_that_begin_at_once_one_has_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ExitStack() as first:

        def late(path: Path, data: bytes) -> None:
            monkeypatch.undo()
            write_synced(path, data)
            first.enter_context(claimed(tmp_path, job(seed=8)))  # as it was about to describe its

        monkeypatch.setattr("bulk.folder.write_synced", late)
        with pytest.raises(FolderError, match="another run is at work"):
            claim(tmp_path, job())
        assert b'"seed": 8' in (tmp_path / JOB).read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == [JOB]
    with pytest.raises(FolderError, match="seed is 8 there, 7 here"):
        claim(tmp_path, job())


def test_what_a_killed_run_left_half_written_is_removed(tmp_path: Path) -> None:
    claim(tmp_path, job())
    left = [".part-00000001.parquet.99-ab.partial", "._manifest.json.partial"]
    for name in (*left, "part-00000001.parquet"):
        (tmp_path / name).write_bytes(b"half")
    claim(tmp_path, job())
    assert {path.name for path in tmp_path.iterdir()} == {JOB, "part-00000001.parquet"}


def test_a_run_that_was_killed_before_it_described_its_job_can_begin_again(tmp_path: Path) -> None:
    (tmp_path / "._job.json.partial").write_bytes(b"{")
    claim(tmp_path, job())
    assert [path.name for path in tmp_path.iterdir()] == [JOB]


def test_a_manifest_tells_what_is_there(tmp_path: Path) -> None:
    assert read_manifest(tmp_path) == {}
    rows = write_manifest(tmp_path, {"a": Written(3, "1f"), "b": Written(4, "2f")})
    assert rows == 7
    assert read_manifest(tmp_path) == {"a": "1f", "b": "2f"}
    (tmp_path / MANIFEST).write_bytes(b"[")
    assert read_manifest(tmp_path) == {}

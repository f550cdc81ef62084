"""A worker makes the files of the very job that it was told of, whoever else is at work."""

import errno
import gc
import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from app.catalog import load_one
from app.names_query import as_applied, to_request
from app.settings import Settings
from bulk.cluster import complete, local_workers
from bulk.errors import ShardError
from bulk.folder import JOB, claimed
from bulk.job import Job
from bulk.options import GenerateOptions, ScoreOptions
from bulk.order import generate_job, open_order, score_job, write_order
from bulk.shards import Shard, shards
from bulk.words import open_words
from bulk.work import make_part
from models.generation import Sampler
from models.request import MAX_JOB_NAMES
from models.storage import to_json


def generate_order(settings: Settings, **given: str) -> tuple[str, Job]:
    """As the command writes it."""
    given = {"n": "8000", "seed": "7", "out": "x"} | given
    options = GenerateOptions.model_validate(given)
    served = load_one(settings, options.model)
    job = generate_job(options, as_applied(options, served, to_request(options, served)))
    return write_order(settings, given, job), job


def claim(folder: Path, job: Job) -> Path:
    """Make a folder this job's, as the command does."""
    with claimed(folder, job):
        return folder


def score_order(path: Path) -> tuple[str, Job, list[Shard]]:
    """As the command writes it, for `bigram` and the lines of a file, all in one shard."""
    given = {"words": str(path), "out": "x"}
    settings = Settings(default_model="bigram")
    sha256, cut = open_words(path, "").survey(10**6)
    served = load_one(settings, None)
    count = sum(shard.count for shard in cut)
    job = score_job(ScoreOptions.model_validate(given), served, count, sha256)
    return write_order(settings, given, job), job, cut


def changed(order: str, **request: object) -> str:
    """What a command with another model, or other words, would have written."""
    told = json.loads(order)
    told["about"]["request"] |= request
    return json.dumps(told, sort_keys=True)


def test_threads_of_a_worker_make_the_files_that_one_makes(tmp_path: Path) -> None:
    order, job = generate_order(Settings(default_model="gru-ngram"))
    cut = list(shards(0, 8000, 1000))
    for name in ("one", "several"):
        claim(tmp_path / name, job)

    def make(name: str) -> Callable[[Shard], tuple[int, str]]:
        return lambda shard: make_part(order, str(tmp_path / name), astuple(shard), None)

    alone = list(map(make("one"), cut))
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(make("several"), cut)) == alone


def test_a_worker_with_another_model_refuses(tmp_path: Path) -> None:
    order, job = generate_order(Settings(default_model="bigram"))
    with pytest.raises(ShardError, match="it would be another job: fingerprint is .* here"):
        make_part(changed(order, fingerprint="0" * 16), str(tmp_path), (0, 0, 5, 0), None)
    assert list(tmp_path.iterdir()) == []
    assert open_order(order).job == job


def test_a_worker_with_another_list_of_unsafe_words_refuses(tmp_path: Path) -> None:
    listed = tmp_path / "unsafe.txt"
    listed.write_text("ella\n")
    settings = Settings(default_model="bigram", unsafe_words=str(listed))
    order, job = generate_order(settings, safe="true")
    listed.write_text("emma\n")
    with pytest.raises(ShardError, match="it would be another job: safe_list is "):
        open_order(order)
    listed.write_text("ella\n")
    assert open_order(order).job == job


def test_a_worker_that_finds_other_words_refuses(tmp_path: Path) -> None:
    path, folder = tmp_path / "words.txt", tmp_path / "scores"
    path.write_text("emma\n" * 10)
    order, job, (shard,) = score_order(path)
    claim(folder, job)
    path.write_text("anna\n" * 10)
    with pytest.raises(ShardError, match="it would be another job: sha256 is "):
        make_part(order, str(folder), astuple(shard), None)
    path.write_text("emma\n" * 10)
    assert make_part(order, str(folder), astuple(shard), None)[0] == 10
    assert pq.read_table(folder / shard.file)["word"].to_pylist() == ["emma"] * 10


def test_words_that_are_written_anew_are_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("emma\n" * 10)
    order, job, (shard,) = score_order(path)
    one, another = (claim(tmp_path / name, job) for name in ("one", "another"))
    made = make_part(order, str(one), astuple(shard), None)
    path.unlink()
    path.write_text("emma\n" * 10)  # the same words, of another time
    assert make_part(order, str(another), astuple(shard), None) == made
    path.write_text("anna\n" * 10)
    with pytest.raises(ShardError, match="it would be another job: sha256 is "):
        make_part(order, str(claim(tmp_path / "third", job)), astuple(shard), None)


def test_a_worker_with_another_pyarrow_refuses(tmp_path: Path) -> None:
    order, _ = generate_order(Settings(default_model="bigram"))
    told = json.loads(order) | {"pyarrow": "1.0"}
    with pytest.raises(ShardError, match=r"has pyarrow .*, the command 1\.0$"):
        make_part(json.dumps(told), str(tmp_path), (0, 0, 5, 0), None)


@pytest.mark.parametrize("early", [True, False], ids=["before it is made", "while it is made"])
def test_a_folder_that_another_job_has_by_now_gets_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, early: bool
) -> None:
    order, job = generate_order(Settings(default_model="bigram"))
    _, other = generate_order(Settings(default_model="bigram"), seed="8")
    folder = claim(tmp_path, other if early else job)
    step = Sampler.step

    def exchange(sampler: Sampler) -> object:
        (folder / JOB).write_bytes(to_json(other.about))
        monkeypatch.undo()
        return step(sampler)

    monkeypatch.setattr(Sampler, "step", exchange)
    with pytest.raises(ShardError, match="is of another job .seed is 8 there, 7 here"):
        make_part(order, str(folder), (0, 0, 100, 0), None)
    assert [path.name for path in folder.iterdir()] == [JOB]


def test_what_could_not_be_written_takes_nothing_from_the_next_shard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = 3 * MAX_JOB_NAMES  # so that some of it is under way when the first is written
    order, job = generate_order(Settings(default_model="bigram"), n=str(2 * count))
    first, second = shards(0, 2 * count, count)
    expected = make_part(order, str(claim(tmp_path / "one", job)), astuple(second), None)
    folder = claim(tmp_path / "another", job)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("bulk.part_file._GROUP", 1)
    monkeypatch.setattr(pq.ParquetWriter, "write_table", full)
    kept = []  # as Dask keeps what failed, until it is collected
    with pytest.raises(ShardError, match="No space left") as failed:
        make_part(order, str(folder), astuple(first), None)
    kept.append(failed)
    del failed
    monkeypatch.undo()
    step, steps = Sampler.step, 0

    def collect_then_step(sampler: Sampler) -> object:
        nonlocal steps
        if kept:
            kept.clear()
            gc.collect()
        steps += 1
        assert steps < 10_000, "it never ends"
        return step(sampler)

    monkeypatch.setattr(Sampler, "step", collect_then_step)
    assert make_part(order, str(folder), astuple(second), None) == expected


@pytest.mark.slow
def test_a_shard_that_kills_its_workers_is_named() -> None:
    with (
        local_workers(1) as client,
        pytest.raises(ShardError, match=r"indexes 5 to 9\): 4 workers have died while"),
    ):
        list(complete(client, os._exit, iter([(Shard(0, 5, 5), (1,))])))

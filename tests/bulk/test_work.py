"""A worker makes the files of the very job that it was told of, whoever else is at work."""

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
from bulk.job import Job
from bulk.options import GenerateOptions, ScoreOptions
from bulk.order import generate_job, open_order, score_job, write_order
from bulk.shards import Shard, shards
from bulk.words import open_words
from bulk.work import make_part


def generate_order(settings: Settings, **given: str) -> tuple[str, Job]:
    """As the command writes it."""
    options = GenerateOptions.model_validate({"n": "8000", "seed": "7", "out": "x"} | given)
    served = load_one(settings, options.model)
    job = generate_job(options, as_applied(options, served, to_request(options, served)))
    return write_order(settings, given | {"n": "8000", "seed": "7", "out": "x"}, job), job


def changed(order: str, **request: object) -> str:
    """What a command with another model, or other words, would have written."""
    told = json.loads(order)
    told["about"]["request"] |= request
    return json.dumps(told, sort_keys=True)


def test_threads_of_a_worker_make_the_files_that_one_makes(tmp_path: Path) -> None:
    order, _ = generate_order(Settings(default_model="gru-ngram"))
    cut = list(shards(0, 8000, 1000))
    for name in ("one", "several"):
        (tmp_path / name).mkdir()

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
    path = tmp_path / "words.txt"
    path.write_text("emma\n" * 10)
    settings = Settings(default_model="bigram")
    given = {"words": str(path), "out": "x"}
    options = ScoreOptions.model_validate(given)
    sha256, cut = open_words(path, "").survey(100)
    order = write_order(settings, given, score_job(options, load_one(settings, None), 10, sha256))
    path.write_text("anna\n" * 10)
    with pytest.raises(ShardError, match="it would be another job: sha256 is "):
        make_part(order, str(tmp_path), astuple(cut[0]), None)
    path.write_text("emma\n" * 10)
    assert make_part(order, str(tmp_path), astuple(cut[0]), None)[0] == 10
    assert pq.read_table(tmp_path / cut[0].file)["word"].to_pylist() == ["emma"] * 10


@pytest.mark.slow
def test_a_shard_that_kills_its_workers_is_named() -> None:
    with (
        local_workers(1) as client,
        pytest.raises(ShardError, match=r"indexes 5 to 9\): 4 workers have died while"),
    ):
        list(complete(client, os._exit, iter([(Shard(0, 5, 5), (1,))])))

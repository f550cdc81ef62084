"""What workers are told: all that decides a job, as a text; they load the model themselves."""

import json
import platform
from collections.abc import Generator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import torch

from app.catalog import ServedModel, load_one
from app.names_query import as_applied, to_request
from app.settings import Settings
from bulk.errors import ShardError
from bulk.job import GENERATE, SCORE, Job
from bulk.names import Names
from bulk.options import GenerateOptions, ScoreOptions
from bulk.scores import Scores
from bulk.shards import Shard
from bulk.words import open_words

_SETTINGS = ("checkpoints", "device", "tree_memory_mb", "safe", "unsafe_words")
"""What workers need of the settings; keys and the like stay where they are."""


class Rows(Protocol):
    """What makes the rows of shards.

    Attributes:
        schema: of them.
    """

    schema: pa.Schema

    def is_current(self) -> bool:
        """Whether what they are made of is as it was when it was opened."""

    def batches(self, shard: Shard) -> Generator[pa.RecordBatch, None, None]:
        """The rows of a shard, some at a time; to be closed where not all are taken."""


@dataclass(frozen=True)
class Opened:
    """A job as a worker has it: what makes its rows, and what its files say."""

    rows: Rows
    job: Job


def write_order(settings: Settings, given: dict[str, str], job: Job) -> str:
    """The text for `open_order`.

    Args:
        settings: those of the command.
        given: its options as they were written.
        job: what it has made of them, which workers are held to.
    """
    kept: dict[str, Any] = {name: getattr(settings, name) for name in _SETTINGS}
    kept["models"] = ""  # which of them a worker would serve does not matter
    kept["checkpoints"] = str(settings.checkpoints.absolute())
    kept["unsafe_words"] = settings.unsafe_words and str(Path(settings.unsafe_words).absolute())
    told = {"settings": kept, "given": given, "about": job.about, "pyarrow": pa.__version__}
    return json.dumps(told, sort_keys=True)


@lru_cache(maxsize=2)  # what its tree has learned serves all shards, also of two jobs in turn
def open_order(text: str) -> Opened:
    """Load what a job needs; once a process, however many shards it makes.

    Raises:
        ShardError: the model here, the list of unsafe words, or the words are not those that are
            wanted, or pyarrow is another version, which may write the same rows as other bytes.
        NamewrightError: a checkpoint is not in order, say.
    """
    torch.set_num_threads(1)
    order = json.loads(text)
    if (wanted_version := order["pyarrow"]) != pa.__version__:
        raise ShardError(
            f"{platform.node()} has pyarrow {pa.__version__}, the command {wanted_version}"
        )
    settings = Settings(**order["settings"])
    wanted = Job(order["about"])
    given = order["given"]
    served = load_one(settings, wanted.request["model"])
    if wanted.about["kind"] == GENERATE:
        options = GenerateOptions.model_validate(given)
        request = to_request(options, served)
        job = generate_job(options, as_applied(options, served, request))
        opened = Opened(Names(served, request, settings.tree_memory_mb << 20), job)
    else:
        scored = ScoreOptions.model_validate(given)
        words = open_words(Path(scored.words), scored.column)
        job = score_job(scored, served, wanted.request["n"], words.sha256())
        opened = Opened(Scores(served, words, settings.tree_memory_mb << 20), job)
    if differences := wanted.differences(job.about):
        raise ShardError(f"on {platform.node()} it would be another job: {differences}")
    return opened


def generate_job(options: GenerateOptions, applied: dict[str, Any]) -> Job:
    """The job of drawing what some options ask for, and of what they come to."""
    return Job.of(GENERATE, options.shard, applied | {"scores": options.scores})


def score_job(options: ScoreOptions, served: ServedModel, words: int, sha256: str) -> Job:
    """The job of scoring so many words, of a file whose content is known by its hash."""
    request = {
        "model": served.id,
        "fingerprint": served.checkpoint.fingerprint,
        "column": options.column,
        "n": words,
        "sha256": sha256,
    }
    return Job.of(SCORE, options.shard, request)

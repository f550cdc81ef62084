"""What workers are told: all that decides a job, as a text; they load the model themselves."""

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from app.catalog import load_one
from app.names_query import as_applied, to_request
from app.settings import Settings
from bulk.errors import ShardError
from bulk.job import Job
from bulk.names import Names
from bulk.options import GenerateOptions

_SETTINGS = ("checkpoints", "device", "tree_memory_mb", "safe", "unsafe_words")
"""What workers need of the settings; keys and the like stay where they are."""


@dataclass(frozen=True)
class Opened:
    """A job as a worker has it: what makes its rows, and what its files say."""

    rows: Names
    job: Job


def write_order(settings: Settings, given: dict[str, str], job: Job) -> str:
    """The text for `open_order`.

    Args:
        settings: those of the command.
        given: its options as they were written.
        job: what it has made of them, which workers are held to.
    """
    kept: dict[str, Any] = {name: getattr(settings, name) for name in _SETTINGS}
    kept["checkpoints"] = str(settings.checkpoints.absolute())
    kept["unsafe_words"] = settings.unsafe_words and str(Path(settings.unsafe_words).absolute())
    kept["default_model"] = job.about["request"]["model"]
    return json.dumps({"settings": kept, "given": given, "about": job.about}, sort_keys=True)


@lru_cache(maxsize=1)  # what its tree has learned serves all shards
def open_order(text: str) -> Opened:
    """Load what a job needs; once a process, however many shards it makes.

    Raises:
        ShardError: the model here, or the list of unsafe words, is not the one that is wanted.
        NamewrightError: a checkpoint is not in order, say.
    """
    torch.set_num_threads(1)
    order = json.loads(text)
    settings = Settings(**order["settings"])
    options = GenerateOptions.model_validate(order["given"])
    served = load_one(settings, options.model)
    request = to_request(options, served)
    job = Job.of(options, as_applied(options, served, request))
    if job.about != order["about"]:
        raise ShardError(
            f"{settings.checkpoints / served.id}, or the list of unsafe words, is another one "
            f"here: fingerprint {served.checkpoint.fingerprint}"
        )
    return Opened(Names(served, request, settings.tree_memory_mb << 20), job)

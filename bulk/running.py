"""A job from its first file to its manifest, and what is told of how it ends."""

import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import astuple
from pathlib import Path

from dask.system import CPU_COUNT
from distributed import Client
from pydantic import ValidationError
from tqdm import tqdm

from app.command_line import fault_of
from bulk.cluster import cluster_at, complete, local_workers
from bulk.errors import ShardError
from bulk.folder import check_folder, claimed, read_manifest, write_manifest
from bulk.job import Job
from bulk.options import COUNT, WhereOptions
from bulk.part_file import Written
from bulk.shards import Shard
from bulk.stopping import Stopped, stoppable
from bulk.work import make_part
from models.errors import NamewrightError, ParameterError


def told(command: Callable[[], None]) -> int:
    """Run a command; returns its exit status.

    0 if all is there; 2 for an error, which is reported in a line; 130 and 143 after Ctrl-C and
    SIGTERM.
    """
    try:
        with stoppable():
            command()
        return 0
    except (ValidationError, ParameterError) as error:
        fault = fault_of(error, COUNT)
    except (NamewrightError, OSError) as error:
        fault = str(error)
    except Stopped as stopped:
        sys.stderr.write("stopped; the same command goes on with what is missing\n")
        return 128 + stopped.number
    sys.stderr.write(f"error: {fault}\n")
    return 2


def check_workers(options: WhereOptions) -> None:
    """Raise ParameterError where two kinds of workers are asked for."""
    if options.scheduler and options.workers:
        raise ParameterError("workers", "are those of the scheduler; allowed: one of the two")


def complete_job(options: WhereOptions, order: str, job: Job, shards: Sequence[Shard]) -> None:
    """Make what is missing, with a bar of progress.

    Args:
        options: where the files go, and whose workers make them.
        order: what these are told.
        job: what it is that they make.
        shards: its files.
    """
    folder = Path(options.out).absolute()
    with claimed(folder, job), _workers(options) as client:
        known = read_manifest(folder)
        calls = (
            (shard, (order, str(folder), astuple(shard), known.get(shard.file))) for shard in shards
        )
        files: dict[str, Written] = {}
        total = sum(shard.count for shard in shards)
        with tqdm(total=total, unit=" indexes", disable=None) as progress:
            for shard, made in complete(client, make_part, calls):
                _check_there(folder, shard)
                files[shard.file] = Written(*made)
                progress.update(shard.count)
        check_folder(folder, job)
        rows = write_manifest(folder, dict(sorted(files.items())))
    sys.stderr.write(f"{options.out}: {rows} rows in {len(files)} files\n")


def _workers(options: WhereOptions) -> AbstractContextManager[Client]:
    if options.scheduler is None:
        return local_workers(options.workers or CPU_COUNT)
    return cluster_at(options.scheduler)


def _check_there(folder: Path, shard: Shard) -> None:
    if not (folder / shard.file).exists():
        raise ShardError(
            f"{shard} is not where this machine looks for it: the folder must be one that all "
            "machines share"
        )

"""python -m bulk generate: names of a stream as Parquet, a file a range of its indexes."""

import os
import sys
from contextlib import AbstractContextManager
from dataclasses import astuple
from pathlib import Path

import torch
from distributed import Client
from pydantic import ValidationError
from tqdm import tqdm

from app.catalog import load_one
from app.command_line import fault_of, options_parser
from app.names_query import as_applied, to_request
from app.settings import Settings
from bulk.cluster import cluster_at, complete, local_workers
from bulk.drawing import range_request
from bulk.errors import ShardError
from bulk.folder import claimed, read_manifest, write_manifest
from bulk.job import Job
from bulk.options import COUNT, GenerateOptions
from bulk.order import write_order
from bulk.part_file import Written
from bulk.shards import Shard
from bulk.stopping import Stopped, stoppable
from bulk.work import make_part
from models.errors import NamewrightError, ParameterError
from models.request import MAX_JOB_NAMES, MAX_OFFSET


def run(arguments: list[str], settings: Settings) -> int:
    """Draw the names of a job that are not there yet.

    Returns:
        The exit status: 0 if all are there; 2 for an error, which is reported in a line;
        130 and 143 after Ctrl-C and SIGTERM.
    """
    parser = options_parser(
        GenerateOptions,
        "python -m bulk generate",
        "Write the names of a stream to Parquet files, by many processes. What is there already "
        "is not drawn again.",
        COUNT,
    )
    given = vars(parser.parse_args(arguments))
    try:
        with stoppable():
            options = GenerateOptions.model_validate(given)
            job = _job(options, settings)
            return _complete(options, write_order(settings, given, job), job)
    except (ValidationError, ParameterError) as error:
        fault = fault_of(error, COUNT)
    except (NamewrightError, OSError) as error:
        fault = str(error)
    except Stopped as stopped:
        sys.stderr.write("stopped; the same command goes on with what is missing\n")
        return 128 + stopped.number
    sys.stderr.write(f"error: {fault}\n")
    return 2


def _job(options: GenerateOptions, settings: Settings) -> Job:
    """What is to be done; ParameterError for what cannot be, before anything is written."""
    torch.set_num_threads(1)
    if options.scheduler and options.workers:
        raise ParameterError("workers", "are those of the scheduler; allowed: one of the two")
    if options.offset + options.n - 1 > MAX_OFFSET:
        most = MAX_OFFSET + 1 - options.offset
        raise ParameterError("n", f"goes beyond the last index, {MAX_OFFSET}; allowed: to {most}")
    served = load_one(settings, options.model)
    served.check_fingerprint(options.fingerprint)
    request = to_request(options, served)
    served.job(range_request(request, options.offset, min(options.n, MAX_JOB_NAMES)))
    job = Job.of(options, as_applied(options, served, request))
    job.shards()
    return job


def _complete(options: GenerateOptions, order: str, job: Job) -> int:
    """Make what is missing, with a bar of progress; the exit status."""
    folder = Path(options.out).absolute()
    with claimed(folder, job), _workers(options) as client:
        known = read_manifest(folder)
        calls = (
            (shard, (order, str(folder), astuple(shard), known.get(shard.file)))
            for shard in job.shards()
        )
        files: dict[str, Written] = {}
        with tqdm(total=options.n, unit=" indexes", disable=None) as progress:
            for shard, made in complete(client, make_part, calls):
                _check_there(folder, shard)
                files[shard.file] = Written(*made)
                progress.update(shard.count)
        rows = write_manifest(folder, dict(sorted(files.items())))
    sys.stderr.write(f"{options.out}: {rows} names in {len(files)} files\n")
    return 0


def _workers(options: GenerateOptions) -> AbstractContextManager[Client]:
    if options.scheduler is None:
        return local_workers(options.workers or len(os.sched_getaffinity(0)))
    return cluster_at(options.scheduler)


def _check_there(folder: Path, shard: Shard) -> None:
    if not (folder / shard.file).exists():
        raise ShardError(
            f"{shard} is not where this machine looks for it: the folder must be one that all "
            "machines share"
        )

"""python -m bulk generate: names of a stream as Parquet, a file a range of its indexes."""

import torch

from app.catalog import load_one
from app.command_line import options_parser
from app.names_query import as_applied, to_request
from app.settings import Settings
from bulk.drawing import range_request
from bulk.options import COUNT, GenerateOptions
from bulk.order import generate_job, write_order
from bulk.running import check_workers, complete_job, told
from bulk.shards import shards
from models.errors import ParameterError
from models.request import MAX_JOB_NAMES, MAX_OFFSET


def run(arguments: list[str], settings: Settings) -> int:
    """Draw the names of a job that are not there yet; returns the exit status, as `told` has it."""
    parser = options_parser(
        GenerateOptions,
        "python -m bulk generate",
        "Write the names of a stream to Parquet files, by many processes. What is there already "
        "is not drawn again.",
        COUNT,
    )
    given = vars(parser.parse_args(arguments))
    return told(lambda: _generate(given, settings))


def _generate(given: dict[str, str], settings: Settings) -> None:
    options = GenerateOptions.model_validate(given)
    check_workers(options)
    if options.offset + options.n - 1 > MAX_OFFSET:
        most = MAX_OFFSET + 1 - options.offset
        raise ParameterError("n", f"goes beyond the last index, {MAX_OFFSET}; allowed: to {most}")
    cut = shards(options.offset, options.n, options.shard)
    torch.set_num_threads(1)
    served = load_one(settings, options.model)
    served.check_fingerprint(options.fingerprint)
    request = to_request(options, served)
    # Refuses what cannot be before anything is written.
    served.job(range_request(request, options.offset, min(options.n, MAX_JOB_NAMES)))
    job = generate_job(options, as_applied(options, served, request))
    complete_job(options, write_order(settings, given, job), job, list(cut))

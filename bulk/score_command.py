"""python -m bulk score: NLLs of the words of a file as Parquet, a file a range of its words."""

from pathlib import Path

import torch

from app.catalog import load_one
from app.command_line import options_parser
from app.settings import Settings
from bulk.options import ScoreOptions
from bulk.order import score_job, write_order
from bulk.running import check_workers, complete_job, told
from bulk.words import open_words


def run(arguments: list[str], settings: Settings) -> int:
    """Score the words of a job that are not scored; returns the exit status, as `told` has it."""
    parser = options_parser(
        ScoreOptions,
        "python -m bulk score",
        "Write the NLLs of the words of a file to Parquet files, by many processes. What is there "
        "already is not scored again.",
    )
    given = vars(parser.parse_args(arguments))
    return told(lambda: _score(given, settings))


def _score(given: dict[str, str], settings: Settings) -> None:
    options = ScoreOptions.model_validate(given)
    check_workers(options)
    torch.set_num_threads(1)
    served = load_one(settings, options.model)
    served.check_fingerprint(options.fingerprint)
    path = Path(options.words).absolute()
    sha256, shards = open_words(path, options.column).survey(options.shard)
    job = score_job(options, served, sum(shard.count for shard in shards), sha256)
    order = write_order(settings, given | {"words": str(path)}, job)
    complete_job(options, order, job, shards)

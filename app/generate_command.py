"""python -m app generate: the names of the service, to a file, without the service."""

import os
import signal
import sys
from typing import Annotated, Literal

import torch
from pydantic import Field, ValidationError
from tqdm import tqdm

from app.bulk import Bulk, End
from app.bulk_formats import Csv, Format, JsonLines, Text
from app.catalog import ServedModel, load_one
from app.command_line import fault_of, options_parser
from app.names_query import as_applied, to_request
from app.parameters import Integer
from app.schemas import Fingerprint, ModelId, NamesQuery
from app.settings import Settings
from models.errors import NamewrightError, ParameterError
from models.generation import Sampler
from models.request import MAX_JOB_NAMES, Generated, GenerationRequest

_FIRST = 16
"""Names drawn before the first is written, then twice as many each time: `| head` is quick."""
_PASSES_TO_LEARN = 100
"""After each chunk of a large order, for the prefix tree alone."""


class GenerateOptions(NamesQuery):
    """Options of the command: the parameters of the service under the same names."""

    n: Annotated[int, Integer(1, 10**12)] = Field(10, description="How many names")
    model: ModelId | None = Field(
        None, description="A folder of NAMEWRIGHT_CHECKPOINTS; the default model if not given"
    )
    format: Literal["text", "jsonl", "csv"] = Field(
        "text",
        description="A name a line, or with indexes: JSON lines as of /generate/stream, or CSV",
    )
    fingerprint: Fingerprint | None = Field(
        None, description="The fingerprint that the model must have; with another nothing is drawn"
    )


def run(arguments: list[str], settings: Settings) -> int:
    """Write names to standard output.

    Returns:
        The exit status: 0; 1 if there are fewer names than asked for; 2 for an error,
        which is reported in a line; 130 after Ctrl-C; 141 if no one reads on.
    """
    parser = options_parser(
        GenerateOptions,
        "python -m app generate",
        "Write names to standard output: those that the service gives for the same seed and "
        "parameters.",
    )
    given = vars(parser.parse_args(arguments))
    try:
        return _generate(GenerateOptions.model_validate(given), settings)
    except (ValidationError, ParameterError) as error:
        fault = fault_of(error)
    except BrokenPipeError:
        # Else Python tries to flush standard output when it exits, and complains.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except (NamewrightError, OSError) as error:
        fault = str(error)
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    sys.stderr.write(f"error: {fault}\n")
    return 2


def _generate(options: GenerateOptions, settings: Settings) -> int:
    written = _format(options)
    torch.set_num_threads(settings.threads)
    served = load_one(settings, options.model)
    served.check_fingerprint(options.fingerprint)
    request = to_request(options, served)
    bulk = Bulk(request, options.n)
    served.job(bulk.request())  # refuses what cannot be
    if options.seed is None:
        sys.stderr.write(f"the same names again: --seed {request.seed}\n")
    about = as_applied(options, served, request)
    _write(written.begin(about))
    end = _write_names(written, served, bulk, settings.tree_memory_mb << 20)
    _write(written.end(bulk.summary(end) | about))
    if end is End.COMPLETE:
        return 0
    sys.stderr.write(
        f"only {bulk.sent} names: none came in the last draws before index {bulk.next_offset}\n"
    )
    return 1


def _format(options: GenerateOptions) -> Format:
    match options.format:
        case "jsonl":
            return JsonLines(options.scores)
        case "csv":
            return Csv(options.scores)
    if options.scores:
        raise ParameterError("scores", "has no place in text; add --format jsonl or csv")
    return Text()


def _write_names(written: Format, served: ServedModel, bulk: Bulk, tree_bytes: int) -> End:
    """Write all names with a bar of progress; returns why no more come.

    Where they go to a terminal, the names themselves show how far it has got.
    """
    hidden = sys.stdout.isatty() or None
    with tqdm(total=bulk.n, unit=" names", disable=hidden) as progress:
        sampler = Sampler(served.model, served.checkpoint.vocabulary, tree_bytes)
        size = _FIRST
        while (end := bulk.end) is None:
            sent = bulk.sent
            names = bulk.take(_draw(sampler, served, bulk.request(size)))
            _write(written.names(names, sent))
            progress.update(len(names))
            size = min(2 * size, MAX_JOB_NAMES)
            if (bulk.n or 0) - bulk.sent > MAX_JOB_NAMES:  # what the tree learns now pays
                for _ in range(_PASSES_TO_LEARN):
                    sampler.grow()
    return end


def _draw(sampler: Sampler, served: ServedModel, request: GenerationRequest) -> Generated:
    job = served.job(request)
    sampler.add(job)
    while not job.done:
        sampler.step()
    return job.result()


def _write(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()

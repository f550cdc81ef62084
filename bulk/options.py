"""Options of `python -m bulk`: the parameters of the service, and where the files go."""

from typing import Annotated

from pydantic import Field

from app.parameters import Integer, SeedText
from app.schemas import Fingerprint, ModelId, ModelQuery, NamesQuery, Strict

COUNT = "--count"
"""The option for `n`, which here is a number of indexes, not of names."""
MAX_COUNT = 10**12


class WhereOptions(Strict):
    """Which model, where the files go, and who makes them."""

    model: ModelId | None = Field(
        None, description="A folder of NAMEWRIGHT_CHECKPOINTS; the default model if not given"
    )
    fingerprint: Fingerprint | None = Field(
        None, description="The fingerprint that the model must have; with another nothing is done"
    )
    out: str = Field(
        min_length=1, description="Folder for the files; one that has some of this job is completed"
    )
    shard: Annotated[int, Integer(1, 10**9)] = Field(
        100_000, description="Indexes of a file; what a killed worker loses, at most"
    )
    workers: Annotated[int, Integer(1, 256)] | None = Field(
        None, description="Processes on this machine; one a core if not given"
    )
    scheduler: str | None = Field(
        None,
        pattern=r"^(tcp|tls)://\S+:[0-9]+$",
        description="Address of a Dask scheduler, tcp://host:8786, whose workers do it instead",
    )


# The last base's fields come first.
class GenerateOptions(WhereOptions, NamesQuery):
    """Parameters of the service under the same names, but that a job must say its seed."""

    n: Annotated[int, Integer(1, MAX_COUNT)] = Field(
        description="How many indexes of the stream; without conditions nearly each gives a name"
    )
    seed: SeedText = Field(description="The stream: 0 to 2^64-1, or any text")


class ScoreOptions(WhereOptions, ModelQuery):
    """What is to be scored."""

    words: str = Field(
        min_length=1,
        description="The words: a UTF-8 file with one a line, or one of Parquet, `*.parquet`",
    )
    column: str = Field("name", description="Of a file of Parquet: the column that has them")

"""What requests may say and what answers look like.

The answers' models document them and are checked against real answers by the
tests; routes build plain dicts, which is many times faster.
"""

import math
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.parameters import Boolean, Integer, Number, SeedText
from models.conditions import MAX_EXCLUDED
from models.request import MAX_NAMES, MAX_OFFSET
from models.rows import TEXT_LIMIT
from models.sampling import MAX_TEMPERATURE, MAX_TOP_K

ModelId = Annotated[str, Field(max_length=64, description="A model's id; the default if not given")]

Fingerprint = Annotated[
    str,
    Field(
        min_length=1,
        max_length=64,
        description="The fingerprint that the model must have; with another it is a 409",
    ),
]
"""For those who count on the very same names, or scores."""


class Strict(BaseModel):
    """A request: unknown fields are refused, and values are what they seem."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class PlaceQuery(Strict):
    """Which names of which stream; how many it takes, each says itself."""

    n: int | None
    seed: SeedText | None = Field(
        None,
        description="The stream: 0 to 2^64-1, or any text. Drawn at random if not given",
        examples=["42"],
    )
    offset: Annotated[int, Integer(0, MAX_OFFSET)] = Field(
        0, description="Index in the stream to begin at"
    )


class ModelQuery(Strict):
    """By which model."""

    model: ModelId | None = None


class SamplingQuery(Strict):
    """How distributions are reshaped before a character is drawn."""

    temperature: Annotated[float, Number(0, MAX_TEMPERATURE)] = Field(
        1.0, description="Below 1 plainer, above 1 stranger; 0 always takes the likeliest character"
    )
    top_k: Annotated[int, Integer(1, MAX_TOP_K)] | None = Field(
        None, description="Draw from the k likeliest characters only"
    )
    top_p: Annotated[float, Number(0, 1, above_low=True)] | None = Field(
        None, description="Draw from the likeliest characters that together have this probability"
    )
    min_p: Annotated[float, Number(0, 1)] | None = Field(
        None, description="Drop characters less probable than this share of the likeliest one"
    )


class ConditionsQuery(SamplingQuery):
    """What names must be like."""

    prefix: str = Field(
        "", description="What every name begins with; of a model of running text, the prompt"
    )
    min_length: Annotated[int, Integer(1, TEXT_LIMIT)] = Field(
        1, description="Fewest characters of a name"
    )
    max_length: Annotated[int, Integer(1, TEXT_LIMIT)] | None = Field(
        None,
        description="Most characters of a name, exactly as many of running text; if not given, "
        "all that the model can hold, of running text at most 100",
    )
    suffix: str = Field("", description="What every name ends with")
    contains: str = Field("", description="What is somewhere in every name")
    pattern: str = Field(
        "",
        description="What every name is like: `?` is any one character, `*` any run of them",
        examples=["m?r*a"],
    )
    exclude: str = Field(
        "",
        description=f"What is in no name: up to {MAX_EXCLUDED} strings, separated by commas",
        examples=["x,q,zz"],
    )
    novel: Boolean = Field(False, description="Leave out names that the model was fitted on")
    safe: Boolean | None = Field(
        None,
        description="Leave out names with a word of the server's list of offensive ones; if not "
        "given, as the server is set, which is false unless its operator has changed that",
    )


# The last base's fields come first in the documentation.
class NamesQuery(ConditionsQuery, ModelQuery, PlaceQuery):
    """Parameters of everything that draws names."""

    scores: Boolean = Field(False, description="Give each name's index and NLL too")


class GenerateQuery(NamesQuery):
    """Parameters of GET /generate."""

    n: Annotated[int, Integer(1, MAX_NAMES)] = Field(10, description="How many names")
    unique: Boolean = Field(False, description="Leave out names that are in this answer already")
    format: Literal["json", "text", "csv", "jsonl"] | None = Field(
        None, description="How names are written; if not given, what Accept likes best of these"
    )
    fingerprint: Fingerprint | None = None


def finite(value: float) -> float | None:
    """`value`, or None for infinity, which JSON lacks: what a model holds impossible."""
    return value if math.isfinite(value) else None


class ScoredName(BaseModel):
    """A generated name with its place and its NLL."""

    name: str
    index: int = Field(description="Its index in the stream")
    nll: float | None = Field(
        description="Of the name and its end, or of running text, under the model as it is, "
        "nats; null where infinite"
    )


class ServedAnswer(BaseModel):
    """Which model has answered."""

    model: str
    fingerprint: str = Field(description="Equal fingerprints give equal names")


SafeList = Annotated[
    str | None,
    Field(
        description="A hash of the list that `safe` went by: equal ones leave out the same names; "
        "null without `safe`"
    ),
]


class SampledAnswer(BaseModel):
    """How distributions were reshaped: parameters as applied."""

    temperature: float
    top_k: int | None
    top_p: float | None
    min_p: float | None


class ConditionsAnswer(SampledAnswer):
    """What names had to be like: parameters as applied."""

    prefix: str
    min_length: int
    suffix: str
    contains: str
    pattern: str
    exclude: str
    novel: bool
    safe: bool
    safe_list: SafeList


class AppliedAnswer(ConditionsAnswer, ServedAnswer):
    """What names were drawn from, and how: parameters as applied."""

    max_length: int


class GenerateAnswer(AppliedAnswer):
    """Names, and everything needed to get them again."""

    names: list[str] | list[ScoredName]
    seed: int | str = Field(description="As given; a string where JavaScript would round it")
    n: int
    offset: int = Field(
        description="As given; where the names begin in the stream, if the server chose it"
    )
    next_offset: int = Field(description="The offset that continues the stream")
    exhausted: bool = Field(
        description="Fewer than n: the budget of 10 n + 1000 draws, with conditions 50,000 more, "
        "ended first"
    )
    acceptance_rate: float = Field(description="Share of draws that gave a name")
    unique: bool


class AlphabetAnswer(BaseModel):
    """A model's alphabet."""

    size: int = Field(description="V: the characters and the boundary")
    characters: str


class ModelAnswer(BaseModel):
    """A served model."""

    id: str
    kind: Literal["lines", "text"] = Field(
        description="What it was fitted on: names with an end, or one running text without"
    )
    architecture: str
    hyperparameters: dict[str, Any] = Field(
        description="Under makemore's names; a mixture lists its members"
    )
    parameters: int = Field(description="Numbers that were fitted")
    vocabulary: AlphabetAnswer
    max_length: int = Field(description="Longest name or text it can give or score")
    evaluation: dict[str, Any] = Field(
        description="NLLs in nats per character, by split and part, each from a fit on that "
        "split's training part"
    )
    corpus: dict[str, Any]
    training: dict[str, Any]
    fingerprint: str
    defaults: dict[str, Any] = Field(description="Generation parameters when none are given")
    device: str
    dtype: str


class ModelsAnswer(BaseModel):
    """All served models."""

    default: str
    models: list[ModelAnswer]


class PlotAnswer(BaseModel):
    """A picture of a model."""

    name: str
    title: str
    url: str = Field(description="Where its SVG is, from the root of this service")


class PlotsAnswer(BaseModel):
    """The pictures of a model."""

    model: str
    fingerprint: str
    plots: list[PlotAnswer]


class StatusAnswer(BaseModel):
    """Liveness or readiness."""

    status: str


class VersionAnswer(BaseModel):
    """What is running."""

    version: str
    sampler_version: int
    python: str
    torch: str


class Fault(BaseModel):
    """One parameter at fault."""

    parameter: str
    message: str


class Problem(BaseModel):
    """An error, RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[Fault]
    request_id: str

"""What POST /v1/completions may be asked, and its answers: OpenAI's shape.

Fields and their meaning follow https://platform.openai.com/docs/api-reference/completions;
what our models lack is refused unless it is asked for with its neutral value.
"""

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field, WithJsonSchema

from app.parameters import Integer, Number, fault
from app.schemas import ModelId, Problem, SafeList, Strict
from models.randomness import SEED_LIMIT
from models.request import MAX_NAMES
from models.rows import TEXT_LIMIT
from models.sampling import MAX_TEMPERATURE, MAX_TOP_K
from models.score import LIKELIEST

MAX_STOPS = 4
MAX_STOP_LENGTH = 256


class JsonInteger(Integer):
    """The same of a JSON number without fraction."""

    def parse(self, text: object) -> int:
        """The value; a `fault` where it is none, or out of range."""
        return super().parse(str(text) if type(text) is int else None)


class JsonNumber(Number):
    """The same of a JSON number."""

    def parse(self, text: object) -> float:
        """The value; a `fault` where it is none, or out of range."""
        return super().parse(repr(text) if type(text) in (int, float) else None)


def _boolean_or_none(value: object) -> bool | None:
    if value is not None and not isinstance(value, bool):
        raise fault("must be a boolean; allowed: true, false")
    return value


def _boolean(value: object) -> bool:
    return bool(_boolean_or_none(value))


def _texts(value: object, what: str) -> list[str]:
    """A string, or a list of them, as a list."""
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise fault(what)
    if any("\ud800" <= character <= "\udfff" for text in texts for character in text):
        raise fault("must be of Unicode characters; a lone surrogate is none")
    return texts


def _prompts(value: object) -> list[str]:
    allowed = "must be text; allowed: a string or a list of strings, not token ids"
    prompts = [""] if value is None else _texts(value, allowed)
    if not 1 <= len(prompts) <= MAX_NAMES:
        raise fault(f"has the wrong number of items; allowed: 1 to {MAX_NAMES}")
    return prompts


def _stops(value: object) -> list[str]:
    allowed = f"allowed: up to {MAX_STOPS} strings of 1 to {MAX_STOP_LENGTH} characters"
    stops = [] if value is None else _texts(value, f"must be text; {allowed}")
    if len(stops) > MAX_STOPS or not all(1 <= len(stop) <= MAX_STOP_LENGTH for stop in stops):
        raise fault(f"has too many items, or one that is empty or too long; {allowed}")
    return stops


def _neutral(accepts: Callable[[Any], bool], allowed: str) -> BeforeValidator:
    """Of a field for what our models lack."""

    def check(value: object) -> None:
        if value is not None and not accepts(value):
            raise fault(f"is not supported here; allowed: {allowed}")

    return BeforeValidator(check)


def _one_or_more(most: int, **text: int) -> WithJsonSchema:
    """The schema of a string, or a list of them, or null."""
    string = {"type": "string", **text}
    strings = {"type": "array", "items": string, "maxItems": most}
    return WithJsonSchema({"anyOf": [string, strings, {"type": "null"}]})


Flag = Annotated[bool, BeforeValidator(_boolean), WithJsonSchema({"type": ["boolean", "null"]})]
Penalty = Annotated[
    None,
    _neutral(lambda value: type(value) in (int, float) and value == 0, "0 or null"),
    WithJsonSchema({"type": ["number", "null"], "enum": [0, None]}),
]


_STOPS_SCHEMA = _one_or_more(MAX_STOPS, minLength=1, maxLength=MAX_STOP_LENGTH)


class StreamOptions(Strict):
    """What a stream says beside its choices."""

    include_usage: Flag = Field(False, description="End with a chunk that has `usage`")
    include_obfuscation: Annotated[
        None,
        _neutral(lambda value: value is False, "false or null"),
        WithJsonSchema({"type": ["boolean", "null"], "enum": [False, None]}),
    ] = Field(None, description="Not supported: only false")


class CompletionBody(Strict):
    """Body of POST /v1/completions. A token is a character, or the end of a name."""

    model: ModelId | None = None
    prompt: Annotated[list[str], BeforeValidator(_prompts), _one_or_more(MAX_NAMES)] = Field(
        [""], description="What every choice goes on from; or a list of such", examples=["em"]
    )
    n: Annotated[int, JsonInteger(1, MAX_NAMES)] | None = Field(
        None, description="Choices of each prompt, 1 if not given; 1000 in all at most"
    )
    seed: Annotated[int, JsonInteger(0, SEED_LIMIT - 1)] | None = Field(
        None, description="The stream; drawn at random if not given", examples=[42]
    )
    max_tokens: Annotated[int, JsonInteger(0, TEXT_LIMIT)] | None = Field(
        None,
        description="Tokens drawn after a prompt at most, the end of a name included; if not "
        "given 16, or what the model can hold after the prompt",
    )
    temperature: Annotated[float, JsonNumber(0, MAX_TEMPERATURE)] | None = Field(
        None, description="1 if not given; 0 always takes the likeliest token"
    )
    top_p: Annotated[float, JsonNumber(0, 1, above_low=True)] | None = Field(
        None, description="Draw from the likeliest tokens that together have this probability"
    )
    top_k: Annotated[int, JsonInteger(1, MAX_TOP_K)] | None = Field(
        None, description="Ours: draw from the k likeliest tokens only"
    )
    min_p: Annotated[float, JsonNumber(0, 1)] | None = Field(
        None, description="Ours: drop tokens less probable than this share of the likeliest one"
    )
    safe: Annotated[bool | None, BeforeValidator(_boolean_or_none)] = Field(
        None,
        description="Ours: empty a choice that has an offensive word, with the finish_reason "
        "content_filter; if not given, as the server is set",
    )
    logprobs: Annotated[int, JsonInteger(0, LIKELIEST)] | None = Field(
        None, description="Give the log-probability of each token, and of so many alternatives"
    )
    echo: Flag = Field(False, description="Begin each choice with its prompt, logprobs too")
    stop: Annotated[list[str], BeforeValidator(_stops), _STOPS_SCHEMA] = Field(
        [], description="Cut a choice before the first of these texts; up to 4"
    )
    stream: Flag = Field(False, description="Answer with server-sent events")
    stream_options: StreamOptions | None = Field(None, description="Only with stream=true")
    best_of: Annotated[int, JsonInteger(1, MAX_NAMES)] | None = Field(
        None, description="Not supported: only 1 or n"
    )
    suffix: Annotated[
        None,
        _neutral(lambda value: value == "", '"" or null'),
        WithJsonSchema({"type": ["string", "null"], "enum": ["", None]}),
    ] = Field(None, description='Not supported: only ""')
    presence_penalty: Penalty = Field(None, description="Not supported: only 0")
    frequency_penalty: Penalty = Field(None, description="Not supported: only 0")
    logit_bias: Annotated[
        None,
        _neutral(lambda value: value == {}, "{} or null"),
        WithJsonSchema({"type": ["object", "null"], "maxProperties": 0}),
    ] = Field(None, description="Not supported: only {}")
    user: str | None = Field(None, description="Ignored")


class LogprobsAnswer(BaseModel):
    """What the model as it is (temperature 1) thought of each token of a choice."""

    tokens: list[str] = Field(description='Characters; "" is the end of a name')
    token_logprobs: list[float | None] = Field(description="ln probability; null where that is 0")
    top_logprobs: list[dict[str, float | None]] = Field(
        description="The likeliest tokens there, and the one that came"
    )
    text_offset: list[int] = Field(description="Where in `text` each token begins")


class ChoiceAnswer(BaseModel):
    """A continuation of a prompt."""

    text: str
    index: int = Field(description="Choices of the first prompt come first")
    logprobs: LogprobsAnswer | None
    finish_reason: Literal["stop", "length", "content_filter"] | None = Field(
        description="stop: a name has ended, or a `stop` came; content_filter: `safe` has taken "
        "its text away; null: more of it is to come"
    )


class UsageAnswer(BaseModel):
    """How many tokens there were."""

    prompt_tokens: int = Field(description="Of each prompt once, whatever n")
    completion_tokens: int = Field(description="Of all choices, ends of names included")
    total_tokens: int


class CompletionAnswer(BaseModel):
    """Choices, and what is needed to get them again; a chunk of a stream has the same shape."""

    id: str
    object: Literal["text_completion"]
    created: int = Field(description="Seconds since 1970")
    model: str
    system_fingerprint: str = Field(description="The fingerprint: equal ones give equal choices")
    seed: int = Field(description="Ours: the seed as given, or as drawn")
    safe_list: SafeList
    choices: list[ChoiceAnswer]
    usage: UsageAnswer | None = Field(None, description="Of a stream: in its last chunk")


class OpenAIModelAnswer(BaseModel):
    """A served model; /models/{id} says more."""

    id: str
    object: Literal["model"]
    created: int = Field(description="The day it was trained, in seconds since 1970; 0: unknown")
    owned_by: str


class OpenAIModelsAnswer(BaseModel):
    """All served models."""

    object: Literal["list"]
    data: list[OpenAIModelAnswer]


class OpenAIError(BaseModel):
    """An error as OpenAI's clients read it."""

    message: str
    type: Literal["invalid_request_error", "server_error"]
    param: str | None
    code: str | None


class OpenAIProblem(Problem):
    """An error, RFC 9457, with what OpenAI's clients look for."""

    error: OpenAIError

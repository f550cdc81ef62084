"""What /score may be asked, and what it answers."""

from pydantic import BaseModel, Field

from app.parameters import Text
from app.schemas import Fault, Fingerprint, ModelId, Strict

MAX_WORDS = 1000


class ScoreQuery(Strict):
    """Parameters of GET /score."""

    word: list[str] = Field(
        min_length=1,
        max_length=MAX_WORDS,
        description="A word to score; repeat for more",
        examples=[["emma", "andrejq"]],
    )
    model: ModelId | None = None
    fingerprint: Fingerprint | None = None


class ScoreBody(Strict):
    """Body of POST /score."""

    words: list[Text] = Field(
        min_length=1, max_length=MAX_WORDS, examples=[["emma", "andrejq"]], description="Words"
    )
    model: ModelId | None = None
    fingerprint: Fingerprint | None = None


class CharacterAnswer(BaseModel):
    """One prediction of a scored word."""

    character: str = Field(description='The character; "" is the end of a name')
    nll: float | None = Field(description="-ln probability, nats; null where that is 0")
    probability: float
    rank: int = Field(description="1 for the likeliest character there")


class PercentileAnswer(BaseModel):
    """How name-like a word is, by nll_per_char: 0 less than all held-out names, 100 more."""

    overall: float = Field(
        ge=0,
        le=100,
        description="Percent of the held-out names that are less plausible than the word; those "
        "that tie count half",
        examples=[83.2],
    )
    like_length: float = Field(
        ge=0,
        le=100,
        description="The same of the held-out names of its length, and of as many lengths above "
        "and below as it takes for 100 names",
        examples=[79.4],
    )


class WordAnswer(BaseModel):
    """A scored word; null stands for infinity, where the model holds it impossible."""

    word: str
    nll: float | None = Field(description="Of the name and its end, or of running text; nats")
    nll_per_char: float | None = Field(
        description="nll over length + 1, since the end of a name counts; over length in running "
        "text"
    )
    perplexity: float | None = Field(description="e to nll_per_char")
    bits_per_char: float | None = Field(description="nll_per_char over ln 2")
    in_training: bool | None = Field(
        description="Whether the model was fitted on this name; null for running text"
    )
    percentile: PercentileAnswer | None = Field(
        description="Where it stands among names that were held out; null where none were, and "
        "for running text"
    )
    characters: list[CharacterAnswer]


class FaultyWordAnswer(BaseModel):
    """A word of several that cannot be scored."""

    word: str = Field(description="As given; long ones and what cannot be printed shortened")
    error: Fault


class ScoreAnswer(BaseModel):
    """Scores, in the order of the words."""

    results: list[WordAnswer | FaultyWordAnswer]
    model: str
    fingerprint: str

"""What /score may be asked, and what it answers."""

from pydantic import BaseModel, Field

from app.schemas import Fingerprint, ModelId, Strict

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

    words: list[str] = Field(
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
    characters: list[CharacterAnswer]


class ScoreAnswer(BaseModel):
    """Scores, in the order of the words."""

    results: list[WordAnswer]
    model: str
    fingerprint: str

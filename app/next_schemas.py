"""What GET /next may be asked, and what it answers."""

from typing import Annotated

from pydantic import BaseModel, Field

from app.parameters import Integer
from app.schemas import Fingerprint, ModelQuery, SampledAnswer, SamplingQuery, ServedAnswer
from models.sampling import MAX_TOP_K


class NextQuery(SamplingQuery, ModelQuery):
    """Parameters of GET /next."""

    prefix: str = Field(
        "",
        description="What has been written so far; the beginning of names if not given",
        examples=["em"],
    )
    top: Annotated[int, Integer(1, MAX_TOP_K)] | None = Field(
        None, description="Answer with this many of the likeliest characters; all if not given"
    )
    fingerprint: Fingerprint | None = None


class NextCharacter(BaseModel):
    """A character that may come next."""

    character: str = Field(description='The character; "" is the end of a name', examples=["m"])
    probability: float
    nll: float | None = Field(description="-ln probability, nats; null where that is 0")


class NextAnswer(SampledAnswer, ServedAnswer):
    """What may come next."""

    prefix: str = Field(description="In NFC")
    top: int | None
    characters: list[NextCharacter] = Field(description="By falling probability")

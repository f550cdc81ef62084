"""What GET /compare may be asked, and what it answers."""

from typing import Annotated

from pydantic import Field

from app.parameters import Integer
from app.schemas import ConditionsAnswer, ConditionsQuery, PlaceQuery, ServedAnswer

MAX_COMPARED = 100


class CompareQuery(ConditionsQuery, PlaceQuery):
    """Parameters of GET /compare."""

    n: Annotated[int, Integer(1, MAX_COMPARED)] = Field(
        5, description="How many names of each model"
    )
    models: str | None = Field(
        None,
        description="Ids of models of names, separated by commas; all that are served if not given",
        examples=["bigram,gru"],
    )


class ComparedAnswer(ServedAnswer):
    """The names of one model: those that /generate gives."""

    names: list[str]
    max_length: int
    next_offset: int = Field(description="The offset that continues this model's stream")
    exhausted: bool = Field(description="Fewer than n: the budget of draws ended first")


class CompareAnswer(ConditionsAnswer):
    """Names of several models, drawn with the same random numbers."""

    seed: int | str = Field(description="As given; a string where JavaScript would round it")
    n: int
    offset: int
    models: list[ComparedAnswer] = Field(description="In the order of /models")

"""The rows of a job that scores words: what a worker makes of a shard."""

from collections import deque
from collections.abc import Generator
from itertools import islice

import pyarrow as pa

from app.catalog import ServedModel
from bulk.drawing import learn
from bulk.shards import Shard
from bulk.words import Words
from models.generation import Sampler
from models.score import Scoring
from models.scoring import Scorer

_WORDS = 10_000
"""Of a scoring."""
_AT_ONCE = 2
"""Scorings side by side: the next one fills the places that the end of one leaves empty."""
_NO_TEXT = "is no text in UTF-8"

_Taken = tuple[int, list[str | None], Scoring]
"""The index of the first word, the words, and their scoring."""


class Scores:
    """Scores the words of shards of one file.

    Args:
        served: the model.
        words: the file.
        tree_bytes: for distributions that are kept from shard to shard.

    Attributes:
        schema: `index` (uint64), `word`, as it is in the file, `nll` (float64, nats) and `fault`,
            of which one is null: what is wrong with a word that has no score.
    """

    schema = pa.schema(
        [
            pa.field("index", pa.uint64(), nullable=False),
            pa.field("word", pa.string()),
            pa.field("nll", pa.float64()),
            pa.field("fault", pa.string()),
        ]
    )

    def __init__(self, served: ServedModel, words: Words, tree_bytes: int) -> None:
        self._model, self._vocabulary = served.model, served.checkpoint.vocabulary
        self._words = words
        self._sampler = Sampler(self._model, self._vocabulary, tree_bytes)
        self._scorer = Scorer(self._model, self._vocabulary, self._sampler.tree)

    def is_current(self) -> bool:
        """Whether the words are as they were."""
        return self._words.is_current()

    def batches(self, shard: Shard) -> Generator[pa.RecordBatch, None, None]:
        """The rows of a shard, some at a time: a row a word."""
        words, index = self._words.read(shard), shard.first
        under_way: deque[_Taken] = deque()
        try:
            while taken := list(islice(words, _WORDS)):
                scoring = self._begin(taken)
                under_way.append((index, taken, scoring))
                index += len(taken)
                if len(under_way) == _AT_ONCE:
                    yield self._finish(*under_way.popleft())
            while under_way:
                yield self._finish(*under_way.popleft())
        except BaseException:
            self._scorer.clear()  # it will serve other shards
            raise

    def _begin(self, words: list[str | None]) -> Scoring:
        given = [word or "" for word in words]
        scoring = Scoring(self._model, self._vocabulary, given, "word", lenient=True)
        if not scoring.done:  # of words that are all at fault there is nothing to score
            self._scorer.add(scoring)
        return scoring

    def _finish(self, first: int, words: list[str | None], scoring: Scoring) -> pa.RecordBatch:
        while not scoring.done:
            self._scorer.step()
        learn(self._sampler)
        scores = iter(scoring.result())
        nlls, faults = [], []
        for i, word in enumerate(words):
            fault = scoring.faults.get(i)
            nlls.append(next(scores).nll if fault is None else None)
            faults.append(_NO_TEXT if word is None else fault and fault.message)
        columns = [range(first, first + len(words)), words, nlls, faults]
        arrays = [
            pa.array(column, field.type) for column, field in zip(columns, self.schema, strict=True)
        ]
        return pa.record_batch(arrays, schema=self.schema)

"""The rows of a job that draws names: what a worker makes of a shard."""

from collections.abc import Generator
from contextlib import closing

import pyarrow as pa

from app.catalog import ServedModel
from bulk.drawing import draw_range
from bulk.shards import Shard
from models.generation import Sampler
from models.request import GeneratedName, GenerationRequest

_INDEX, _NAME, _NLL = (
    pa.field("index", pa.uint64(), nullable=False),
    pa.field("name", pa.string(), nullable=False),
    pa.field("nll", pa.float64(), nullable=False),
)


class Names:
    """Draws the names of shards of one request.

    Args:
        served: the model.
        request: what to draw.
        tree_bytes: for distributions that are kept from shard to shard.

    Attributes:
        schema: `index` (uint64) and `name`, and with scores `nll` (float64, nats).
    """

    def __init__(self, served: ServedModel, request: GenerationRequest, tree_bytes: int) -> None:
        self._served, self._request = served, request
        self._sampler = Sampler(served.model, served.checkpoint.vocabulary, tree_bytes)
        self.schema = pa.schema([_INDEX, _NAME, *([_NLL] if request.scores else [])])

    def is_current(self) -> bool:
        """Always: the model is in memory."""
        return True

    def batches(self, shard: Shard) -> Generator[pa.RecordBatch, None, None]:
        """The rows of a shard, some at a time: a row an index that gives a name."""
        with closing(
            draw_range(self._sampler, self._served, self._request, shard.first, shard.count)
        ) as drawn:
            for names in drawn:
                yield self._batch(names)

    def _batch(self, names: tuple[GeneratedName, ...]) -> pa.RecordBatch:
        columns = [[each.index for each in names], [each.name for each in names]]
        if self._request.scores:
            columns.append([each.nll for each in names])
        arrays = [
            pa.array(column, field.type) for column, field in zip(columns, self.schema, strict=True)
        ]
        return pa.record_batch(arrays, schema=self.schema)

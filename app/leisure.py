"""What the engine's thread does while no request is under way."""

from app.catalog import ServedModel
from app.lanes import Lane
from app.pool import Pool, PoolFiller


class Leisure:
    """Fills the default model's prefix tree, then its pool. All but its making is the thread's.

    Args:
        lane: whose tree; None: nothing is to be done.
        served: the same model.
        pool: of its names.

    Attributes:
        growing: whether the tree is to be filled.
    """

    def __init__(self, lane: Lane | None, served: ServedModel | None, pool: Pool) -> None:
        self._lane = lane
        self.growing = lane is not None and not lane.sampler.grown
        self._filler = PoolFiller(pool, served, lane) if lane and served else None

    @property
    def filling(self) -> bool:
        """Whether the pool has room; others may look."""
        return self._filler is not None and self._filler.wanted

    def grow(self) -> None:
        """One step towards a full tree, so short that a request which comes can wait for it."""
        self.growing = self._lane is not None and self._lane.grow()

    def fill(self) -> None:
        """One step towards a full pool, likewise."""
        if self._filler and not self._filler.step():
            self._filler = None

    def stop(self) -> None:
        """Make way for a request."""
        if self._filler:
            self._filler.stop()

"""The names that are being drawn, as arrays: what each has read, and where it stands."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.context_table import ContextTable
from models.filtered import draw_if_sure
from models.prefix_tree import NONE, PrefixTree
from models.randomness import uniforms
from models.request import Job
from models.sampling import LogProbs, SamplingParams, draw, probabilities
from models.vocabulary import BOUNDARY, Vocabulary

Slots = NDArray[np.int64]
TokenIds = NDArray[np.int64]

UNKNOWN = -2
"""Key of a prefix that is more than a character longer than any node's."""
_AHEAD = 16
"""Uniforms that are made at a time; few names have more characters."""


class NamesInFlight:
    """A fixed number of slots, a name each.

    Args:
        slots: S, how many there are.
        limit: characters of a name at most.
        vocabulary: their alphabet.

    Attributes, one entry a slot:
        job: whose name it is; None where there is none.
        token_ids: (S, limit + 1), its characters and its end; the forced ones are there
            from the start.
        position: how many of them it has read.
        node: of the prefix tree: the longest prefix of them that was found there.
        key: in the tree, of all that it has read.
        exact: whether no draft will do.
        unsure: whether the next character needs an exact distribution, though one is known.
        job_id: a number of the job; 0 where there is none.
    """

    def __init__(self, slots: int, limit: int, vocabulary: Vocabulary) -> None:
        self.job = np.full(slots, None, dtype=object)
        self.token_ids = np.zeros((slots, limit + 1), dtype=np.int64)
        self.position = np.zeros(slots, dtype=np.int64)
        self.node = np.full(slots, NONE, dtype=np.int64)
        self.key = np.zeros(slots, dtype=np.int64)
        self.exact = np.zeros(slots, dtype=bool)
        self.unsure = np.zeros(slots, dtype=bool)
        self.job_id = np.zeros(slots, dtype=np.int64)
        self._vocabulary = vocabulary
        self._code_points = np.array([0, *map(ord, vocabulary.characters)], dtype="<u4")
        self._seed = np.zeros(slots, dtype=np.uint64)
        self._index = np.zeros(slots, dtype=np.uint64)
        self._nll = np.zeros(slots)
        self._uniforms = np.zeros((slots, -(-(limit + 1) // _AHEAD) * _AHEAD))
        self._forced = np.zeros(slots, dtype=np.int64)
        self._max_length = np.zeros(slots, dtype=np.int64)
        self._min_length = np.zeros(slots, dtype=np.int64)
        self._as_drawn = np.zeros(slots, dtype=bool)
        self._kind = np.zeros(slots, dtype=np.int64)
        self._kinds: dict[SamplingParams, int] = {}
        self._last_kind = 0
        self._free = list(range(slots))

    @property
    def free(self) -> int:
        """How many slots have no name."""
        return len(self._free)

    def admit(self, shares: Sequence[tuple[Job, int]], root_key: int) -> Slots:
        """Begin the next names of some jobs; their slots.

        Args:
            shares: how many of each job, together at most as many as are free.
            root_key: in the tree, of the empty prefix.
        """
        counts = [count for _, count in shares]
        slots = np.array([self._free.pop() for _ in range(sum(counts))], dtype=np.int64)
        end = 0
        for job, count in shares:
            own = slots[end : end + count]
            end += count
            first = job.admit(count)
            self.job[own], self.job_id[own] = job, id(job)
            self.token_ids[own, : len(job.prefix)] = job.prefix
            self._seed[own] = job.request.seed
            self._index[own] = np.arange(first, first + count, dtype=np.uint64)
            self._forced[own] = len(job.prefix)
            self._max_length[own] = job.max_length
            self._min_length[own] = job.request.min_length
            self._as_drawn[own] = job.as_drawn
            self.exact[own] = job.request.scores
            self._kind[own] = self._kind_of(job.request.sampling)
        self.position[slots] = 0
        self.unsure[slots] = False
        self.node[slots] = NONE
        self.key[slots] = root_key
        self._nll[slots] = 0.0
        self._draw_uniforms(slots, 0)
        return slots

    def release(self, slots: Slots) -> None:
        """Forget the names in some slots."""
        self.job[slots], self.job_id[slots] = None, 0
        self._free.extend(slots.tolist())

    def of(self, job: Job) -> Slots:
        """The slots of a job."""
        return np.flatnonzero(self.job_id == id(job))

    def last(self, slots: Slots) -> TokenIds:
        """(B,) what each of (B,) slots read last; of no meaning before the first character."""
        return self.token_ids[slots, self.position[slots] - 1]

    def move(self, slots: Slots, nodes: NDArray[np.int64], tree: PrefixTree | ContextTable) -> None:
        """Note that (B,) names read a character after (B,) nodes, or after none that is known."""
        known = nodes != NONE
        self.node[slots[known]] = nodes[known]
        self.key[slots] = np.where(known, tree.keys(nodes, self.last(slots)), UNKNOWN)

    def read(self, slots: Slots, log_probs: LogProbs, error: float) -> NDArray[np.bool_]:
        """One more character of each name, drawn, or forced within a prefix.

        Args:
            slots: (B,), all different.
            log_probs: (B, V) after what each has read.
            error: of a cumulative probability, as `draw_if_sure` takes it; 0: none at all.

        Returns:
            (B,) whether it was read: not where the error could decide which it is. Such a
            name is `unsure` now.
        """
        positions = self.position[slots]
        token_ids, sure = self._next(slots, positions, log_probs, error)
        if not sure.all():
            self.unsure[slots[~sure]] = True
            slots, positions, token_ids = slots[sure], positions[sure], token_ids[sure]
            log_probs = log_probs[sure]
        self.token_ids[slots, positions] = token_ids
        # Rounded, so that it does not matter whether the tree, which rounds, had it.
        drawn = log_probs[np.arange(len(slots)), token_ids].astype(np.float32)
        self._nll[slots] += np.maximum(np.float32(0), -drawn)
        self.position[slots] = positions + 1
        late = slots[(positions + 1) % _AHEAD == 0]
        if len(late):
            for position in np.unique(self.position[late]).tolist():
                self._draw_uniforms(late[self.position[late] == position], position)
        return sure

    def finish(self, slots: Slots) -> NDArray[np.bool_]:
        """Hand in the names that have ended, or never will in time, and free their slots.

        Running text ends by its length alone.

        Returns:
            (B,) which of the slots are free now.
        """
        lengths = self.position[slots]
        most = self._max_length[slots]
        if self._vocabulary.ends:
            ended = self.token_ids[slots, lengths - 1] == BOUNDARY
            lengths = lengths - 1  # the last is the end, or one too many
            over = ended | (lengths == most)
        else:
            ended = over = lengths == most
        if over.any():
            self._hand_in(slots[over], lengths[over], ended[over])
            self.release(slots[over])
        return np.asarray(over)

    def _hand_in(self, slots: Slots, lengths: NDArray[np.int64], ended: NDArray[np.bool_]) -> None:
        as_drawn = self._as_drawn[slots]
        named = ended & (lengths >= self._min_length[slots]) | as_drawn
        lengths = lengths + (as_drawn & ~ended)  # with what came in place of the end
        longest = int(lengths.max())
        joined = self._code_points[self.token_ids[slots, :longest]].tobytes().decode("utf-32-le")
        outcomes = zip(
            self.job[slots].tolist(), self._index[slots].tolist(), named.tolist(),
            (np.arange(len(slots)) * longest).tolist(),
            lengths.tolist(), self._nll[slots].tolist(), strict=True,
        )  # fmt: skip
        for job, index, is_name, start, length, nll in outcomes:
            job.finish(index, (joined[start : start + length], nll) if is_name else None)

    def _next(
        self, slots: Slots, positions: NDArray[np.int64], log_probs: LogProbs, error: float
    ) -> tuple[TokenIds, NDArray[np.bool_]]:
        """(B,) what each name reads next, and whether that is sure."""
        forced = positions < self._forced[slots]
        if not forced.any():
            return self._draw(slots, positions, log_probs, error)
        token_ids, sure = self.token_ids[slots, positions], np.ones(len(slots), dtype=bool)
        drawn = np.flatnonzero(~forced)
        token_ids[drawn], sure[drawn] = self._draw(
            slots[drawn], positions[drawn], log_probs[drawn], error
        )
        return token_ids, sure

    def _draw(
        self, slots: Slots, positions: NDArray[np.int64], log_probs: LogProbs, error: float
    ) -> tuple[TokenIds, NDArray[np.bool_]]:
        """The same where nothing is forced."""
        chosen = self._uniforms[slots, positions]
        kinds = self._kind[slots]
        if not len(kinds) or (kinds == kinds[0]).all():
            return _draw_alike(self._params(slots), log_probs, chosen, error)
        token_ids, sure = np.zeros(len(slots), dtype=np.int64), np.zeros(len(slots), dtype=bool)
        for kind in np.unique(kinds).tolist():
            alike = np.flatnonzero(kinds == kind)
            token_ids[alike], sure[alike] = _draw_alike(
                self._params(slots[alike]), log_probs[alike], chosen[alike], error
            )
        return token_ids, sure

    def _params(self, slots: Slots) -> SamplingParams:
        """Of slots that have the same."""
        if not len(slots):
            return SamplingParams()
        params: SamplingParams = self.job[slots[0]].request.sampling
        return params

    def _kind_of(self, params: SamplingParams) -> int:
        """A number for parameters; equal ones that are in flight together have the same."""
        if params not in self._kinds:
            if len(self._kinds) > 2 * len(self.job):  # forget those that no name has
                flying = np.flatnonzero(self.job_id)
                self._kinds = {self.job[i].request.sampling: int(self._kind[i]) for i in flying}
            self._last_kind += 1
            self._kinds[params] = self._last_kind
        return self._kinds[params]

    def _draw_uniforms(self, slots: Slots, first: int) -> None:
        """Those of the next characters of names that have `first`."""
        until = min(first + _AHEAD, self._uniforms.shape[1])
        self._uniforms[slots, first:until] = uniforms(
            self._seed[slots], self._index[slots], until - first, first
        )


def _draw_alike(
    params: SamplingParams, log_probs: LogProbs, chosen: NDArray[np.float64], error: float
) -> tuple[TokenIds, NDArray[np.bool_]]:
    if error:
        return draw_if_sure(log_probs, params, chosen, error)
    exact = log_probs.astype(np.float64, copy=False)
    return draw(probabilities(exact, params), chosen), np.ones(len(chosen), dtype=bool)

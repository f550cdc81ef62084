"""Evaluation: what the model says where the prefix tree does not know, or not well enough.

An exact pass, in float64 and of one height, decides any draw; what it says can be learned by
the tree. A draft decides nearly all draws for half of the cost, and is never learned.
"""

import numpy as np
from numpy.typing import NDArray

from models.base import LanguageModel
from models.context_table import ContextTable
from models.drafts import make_drafts
from models.growth import Growth
from models.in_flight import UNKNOWN, NamesInFlight, Slots
from models.prefix_tree import NONE, PrefixTree
from models.readers import Indexes, Readers
from models.rows import ROWS, Rows, longest_name
from models.sampling import Array
from models.tally import Tally
from models.vocabulary import Vocabulary

_PATIENCE = 2
"""Passes of drafts that a few exact readers wait for company."""
_GROWTH_PATIENCE = 8
"""The same where no name needs them: the tree grows under load too, but slows no one much."""
_GROWTH = 1 << 40
"""Owner of a reader that reads for the tree alone; no slot."""

_NO_SLOTS = np.empty(0, dtype=np.int64)


class Evaluator:
    """Readers for the names in flight.

    Args:
        model: in eval mode, float64, on its device.
        vocabulary: the model's.
        tree: that learns.
        names: whose slots are asked for.
        tally: of the passes, and of the characters that they give.
    """

    def __init__(
        self,
        model: LanguageModel,
        vocabulary: Vocabulary,
        tree: PrefixTree | ContextTable,
        names: NamesInFlight,
        tally: Tally,
    ) -> None:
        self._model, self._vocabulary = model, vocabulary
        self._limit = longest_name(model, vocabulary)
        self._tree, self._names, self._tally = tree, names, tally
        self._growth = Growth(tree, self._limit) if isinstance(tree, PrefixTree) else None
        self._exact = Readers(Rows(model, vocabulary), self._limit)
        # Of each exact reader: the key of what it reads where the tree is to learn it.
        self._learns = np.full(ROWS, UNKNOWN, dtype=np.int64)
        self._passes = self._last_exact = 0  # of drafts: how many, and after which exact ones
        self._awaited = False  # whether names wait for what is being learned
        self._drafts: Readers | None = None
        self._error: float | None = None  # of drafts; not known before the first is needed

    @property
    def grown(self) -> bool:
        """Whether the tree has all that it has room for."""
        return self._growth is None or self._growth.over

    def take(self, slots: Slots) -> Slots:
        """Give idle readers to names that wait, those first that come first.

        While the tree learns, one of several names at a prefix has it read exactly: the others
        there will find it in the tree.

        Returns:
            (B,) whether a slot's name is being read for now.
        """
        exact = self._names.unsure[slots] | self._names.exact[slots]
        drafts = None if exact.all() else self._make_drafts()
        if drafts is None:
            exact[:] = True
        elif not self._tree.full:
            exact |= self._shared(slots)
        taken = np.zeros(len(slots), dtype=bool)
        taken[exact] = self._take_exact(slots[exact])
        if drafts:
            chosen = np.flatnonzero(~exact)[: len(idle := drafts.idle)]
            self._begin(drafts, idle[: len(chosen)], slots[chosen])
            taken[chosen] = True
        return taken

    def _take_exact(self, slots: Slots) -> NDArray[np.bool_]:
        """The same for (B,) names that need exact readers."""
        first, known_soon = self._learnable(slots)
        self._awaited = bool(known_soon.any())
        chosen = np.flatnonzero(~known_soon)
        idle = self._idle_exact(len(chosen))
        chosen = chosen[: len(idle)]
        readers = idle[: len(chosen)]
        self._begin(self._exact, readers, slots[chosen])
        self._learns[readers] = np.where(first[chosen], self._names.key[slots[chosen]], UNKNOWN)
        taken = np.zeros(len(slots), dtype=bool)
        taken[chosen] = True
        return taken

    def step(self) -> tuple[Slots, Slots]:
        """Read a character for every name that has a reader.

        Returns:
            The slots of names that can go on in the tree, and of those that have to wait for
            an exact reader; neither has a reader any more.
        """
        ready = waiting = _NO_SLOTS
        drafting = self._drafts is not None and self._drafts.busy > 0
        if self._drafts and drafting:
            waiting = self._advance_drafts(self._drafts)
            self._passes += 1
        if self._exact_is_due(drafting):
            self._last_exact = self._passes
            ready = self._advance_exact()
        return ready, waiting

    def _exact_is_due(self, drafting: bool) -> bool:
        """Whether to make an exact pass now; beside drafts it waits for company, but not long."""
        for_tree = int((self._exact.owner == _GROWTH).sum())
        needed = self._exact.busy - (0 if self._awaited else for_tree)
        if not drafting:
            return needed > 0
        if not for_tree:
            self._begin_growth()
        waited = self._passes - self._last_exact
        due = needed >= ROWS // 2 or waited > (_PATIENCE if needed else _GROWTH_PATIENCE)
        return due and self._exact.busy > 0

    def grow(self) -> Slots:
        """A pass for the tree, which learns the likeliest prefixes that it lacks.

        Returns:
            The slots of names that can go on in the tree: those that are read for exactly read on.
        """
        self._begin_growth()
        return self._advance_exact() if self._exact.busy else _NO_SLOTS

    def _begin_growth(self) -> None:
        """Let idle exact readers read for the tree alone."""
        if self._growth is None or self._growth.over:
            return
        keys = self._growth.propose(len(idle := self._exact.idle))
        keys = keys[~np.isin(keys, self._learns)]
        if len(keys) and isinstance(self._tree, PrefixTree):
            readers = idle[: len(keys)]
            token_ids, lengths = self._tree.token_ids(keys)
            owners = np.full(len(keys), _GROWTH)
            self._exact.begin(readers, owners, token_ids, lengths)
            self._skip(self._exact, readers, self._tree.parents(keys))
            self._learns[readers] = keys

    def stop(self, slots: Slots) -> None:
        """Read no more for some names."""
        self._release_exact(np.flatnonzero(np.isin(self._exact.owner, slots)))
        if self._drafts:
            self._drafts.release(np.flatnonzero(np.isin(self._drafts.owner, slots)))

    def reset(self) -> None:
        """Read for no one, and from the start, after a step that failed."""
        for readers in (self._exact, self._drafts):
            if readers:
                readers.reset()
        self._learns[:] = UNKNOWN

    def _idle_exact(self, wanted: int) -> Indexes:
        """As many idle exact readers as may be; what is asked for comes before what is learned."""
        idle = self._exact.idle
        if len(idle) < wanted and self._growth:
            growing = np.flatnonzero(self._exact.owner == _GROWTH)[: wanted - len(idle)]
            self._growth.take_back(self._learns[growing])
            self._release_exact(growing)
            idle = self._exact.idle
        return idle

    def _release_exact(self, readers: Indexes) -> None:
        self._exact.release(readers)
        self._learns[readers] = UNKNOWN

    def _shared(self, slots: Slots) -> NDArray[np.bool_]:
        """(B,) whether others wait at the same prefix, which the tree could learn."""
        keys = self._names.key[slots]
        _, at, counts = np.unique(keys, return_inverse=True, return_counts=True)
        shared: NDArray[np.bool_] = (counts[at] > 1) & (keys != UNKNOWN)
        return shared

    def _learnable(self, slots: Slots) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """(B,) one slot of each prefix that the tree could learn, and (B,) the others there."""
        if self._tree.full:
            return np.zeros(len(slots), dtype=bool), np.zeros(len(slots), dtype=bool)
        keys = self._names.key[slots]
        first = np.zeros(len(slots), dtype=bool)
        first[np.unique(keys, return_index=True)[1]] = True
        learnable = ~self._names.unsure[slots] & (keys != UNKNOWN)
        first &= learnable & ~np.isin(keys, self._learns)
        return first, learnable & ~first

    def _begin(self, readers: Readers, chosen: Indexes, slots: Slots) -> None:
        """Let (B,) readers read what the names of (B,) slots have read."""
        if len(chosen):
            token_ids, lengths = self._names.token_ids[slots], self._names.position[slots]
            readers.begin(chosen, slots, token_ids, lengths)
            self._skip(readers, chosen, self._names.node[slots])

    def _skip(self, readers: Readers, chosen: Indexes, nodes: NDArray[np.int64]) -> None:
        """Spare (B,) readers what the tree keeps the state of, on the way to (B,) nodes."""
        readers.skip(chosen, self._tree.load_states(nodes, readers.state, chosen))

    def _advance_exact(self) -> Slots:
        ended, log_probs = self._advance(self._exact)
        growing = self._exact.owner[ended] == _GROWTH
        self._learn(ended, log_probs)
        ended, log_probs = ended[~growing], log_probs[~growing]
        self._tally.from_model += len(ended)
        slots = self._exact.owner[ended]
        nodes = self._tree.find(self._names.key[slots])
        self._names.unsure[slots] = False
        self._names.read(slots, log_probs, 0.0)
        self._names.move(slots, nodes, self._tree)
        going_on = ~self._names.finish(slots)
        elsewhere = self._tree.find(self._names.key[slots]) != NONE
        if self._drafts:  # one will do again
            elsewhere |= ~self._names.exact[slots]
        self._exact.release(ended[~going_on | elsewhere])
        follow = going_on & ~elsewhere
        self._exact.follow(ended[follow], self._names.last(slots[follow]))
        ready: Slots = slots[going_on & elsewhere]
        return ready

    def _learn(self, ended: Indexes, log_probs: Array) -> None:
        """Add what some exact readers have read to the tree, while there is room."""
        if not isinstance(self._tree, PrefixTree):
            return
        keys = self._learns[ended]
        self._learns[ended] = UNKNOWN
        new = np.flatnonzero((keys != UNKNOWN) & (self._tree.find(keys) == NONE))
        new = new[np.unique(keys[new], return_index=True)[1]]
        nodes = np.full(len(ended), NONE)
        if len(new):
            added = self._tree.add(keys[new], log_probs[new], self._exact.state, ended[new])
            nodes[new[: len(added)]] = added
        growing = self._exact.owner[ended] == _GROWTH
        self._go_on(ended[growing], nodes[growing])

    def _go_on(self, readers: Indexes, nodes: NDArray[np.int64]) -> None:
        """Let (B,) readers of the tree go on from (B,) nodes, or NONE, if that is worth it."""
        if self._growth is None:
            return
        self._exact.release(readers[nodes == NONE])
        readers, nodes = readers[nodes != NONE], nodes[nodes != NONE]
        worth, token_ids = self._growth.further(nodes)
        self._exact.release(readers[~worth])
        self._learns[readers[worth]] = self._tree.keys(nodes[worth], token_ids[worth])
        self._exact.follow(readers[worth], token_ids[worth])

    def _advance_drafts(self, drafts: Readers) -> Slots:
        ended, log_probs = self._advance(drafts)
        slots = drafts.owner[ended]
        sure = self._names.read(slots, log_probs, self._error or 0.0)
        drafts.release(ended[~sure])
        unsure, ended, slots = slots[~sure], ended[sure], slots[sure]
        self._tally.from_drafts += len(slots)
        self._names.key[slots] = UNKNOWN
        over = self._names.finish(slots)
        drafts.release(ended[over])
        drafts.follow(ended[~over], self._names.last(slots[~over]))
        return unsure

    def _advance(self, readers: Readers) -> tuple[Indexes, Array]:
        self._tally.passes += 1
        self._tally.rows += readers.busy
        return readers.advance()

    def _make_drafts(self) -> Readers | None:
        """Those that can be relied on, or None."""
        if self._error is None:
            made = make_drafts(self._model, self._vocabulary)
            self._error = made[1] if made else 0.0
            self._drafts = Readers(made[0], self._limit) if made else None
        return self._drafts

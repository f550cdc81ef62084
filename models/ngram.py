"""n-gram model: counts of every context up to block_size characters, interpolated.

The counts of a long context say much about few names, those of a short one
little about many. So each context's counts give up a little, its discount, and
what was given up is shared out as the next shorter context would have it, down
to the uniform distribution below the shortest.

Source: Kneser and Ney 1995, "Improved backing-off for m-gram language modeling",
in the interpolated form that Chen and Goodman 1999 found the best of those they
compared. How n-grams are counted for it: training/counting.py.
Deviations: contexts are of characters; one discount serves all lengths.

Shapes: B names, T characters, V = vocab_size, K = block_size, G = n_grams.
Cost: O(K log G + V) per character, without a matrix product, once the contexts' distributions
are computed; state is K + 1 numbers a name.
"""

from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from models.base import LanguageModel, State
from models.config import ModelConfig
from models.errors import ConfigError

_TABLE_LIMIT = 1 << 22
"""Probabilities that are kept at most; those of more contexts, or longer alphabets, are computed
for every character."""
_COMPUTED = 512
"""Contexts whose distributions are computed together."""


class NGram(LanguageModel):
    """P(next | last K characters) by interpolated Kneser-Ney smoothing.

    The n-grams are the nodes of a trie, numbered from 1 breadth first; 0 is its root.
    Before they are set nothing is counted, and every character as probable as any other.

    Buffers:
        keys: (G,) int32, or int64 where G * V needs it, ascending: for node i + 1, the node of
            its n-gram without the last character, times V, plus that character.
        cumulative: (G + 1,) of the same dtype, ascending: the counts of nodes 1 to i together.
        discount: () float, above 0 and at most 1: taken off every count.

    Raises:
        ConfigError: n_grams is 0.
    """

    hyperparameters = ("block_size", "vocab_size", "n_grams")
    keys: Tensor
    cumulative: Tensor
    discount: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        if not config.n_grams:
            raise ConfigError("n_grams is 0; an n-gram model has at least 1")
        size = config.n_grams + 1
        dtype = torch.int32 if size * config.vocab_size < 1 << 31 else torch.int64
        self.register_buffer("keys", torch.zeros(size - 1, dtype=dtype))
        self.register_buffer("cumulative", torch.zeros(size, dtype=dtype))
        self.register_buffer("discount", torch.full((), 0.5))
        self._table: _Table | None = None
        self.register_load_state_dict_post_hook(_forget_table)  # type: ignore[no-untyped-call]

    @property
    def max_length(self) -> None:
        """None: the last K characters slide along a name of any length."""
        return None

    @property
    def parameter_count(self) -> int:
        """The counts; what was never seen has none."""
        return self.keys.numel()

    def forward(self, token_ids: Tensor) -> Tensor:
        """(B, T) token_ids to (B, T, V) logits: log-probabilities."""
        (nodes,) = self.initial_state(len(token_ids))
        read = []
        for column in token_ids.unbind(1):
            nodes = self._read(column, nodes)
            read.append(nodes)
        return self._look_up(torch.stack(read, 1))

    def set_counts(self, keys: Tensor, cumulative: Tensor, discount: float) -> None:
        """Set the buffers, in place; nothing else may change them once they are used."""
        self.keys.copy_(keys)
        self.cumulative.copy_(cumulative)
        self.discount.fill_(discount)
        self._table = None

    def initial_state(self, batch_size: int) -> State:
        """(B, K + 1) integers: the nodes of the last 0 to K characters, -1 where there is none."""
        nodes = self.keys.new_full((batch_size, self.config.block_size + 1), -1)
        nodes[:, 0] = 0
        return (nodes,)

    def step(self, token_ids: Tensor, state: State) -> tuple[Tensor, State]:
        """(B,) token_ids to (B, V) logits."""
        nodes = self._read(token_ids, state[0])
        return self._look_up(nodes), (nodes,)

    def _look_up(self, nodes: Tensor) -> Tensor:
        """(..., K + 1) nodes of a context's suffixes to (..., V) log-probabilities."""
        table = self._table
        if table is None or table.log_probs.dtype != self.discount.dtype:
            table = self._table = self._tabulate()
        if not len(table.log_probs):
            return self._log_probs(nodes)
        # What follows decides the longest suffix that was ever followed by anything.
        return table.log_probs[table.rows[nodes].amax(-1)]

    def _tabulate(self) -> "_Table":
        """The distributions after all contexts, computed as after a single one."""
        suffixes = self._contexts()
        if len(suffixes) * self.config.vocab_size > _TABLE_LIMIT:
            return _Table(self.keys, self.discount.new_empty(0, self.config.vocab_size))
        contexts = suffixes.amax(1)
        rows = self.keys.new_full((len(self.keys) + 2,), -1)
        rows[contexts] = torch.arange(len(contexts), device=rows.device, dtype=rows.dtype)
        log_probs = torch.cat([self._log_probs(some) for some in torch.split(suffixes, _COMPUTED)])
        return _Table(rows, log_probs)

    def _contexts(self) -> Tensor:
        """(R, K + 1): the nodes of all suffixes of every node that has others below it."""
        (level,) = self.initial_state(1)
        found = [level]
        size = self.config.vocab_size
        for k in range(self.config.block_size):
            if not len(level):
                break
            nodes = level[:, k]
            first, last = torch.searchsorted(self.keys, torch.stack((nodes, nodes + 1)) * size)
            parents = torch.repeat_interleave(last - first)
            below = (torch.arange(len(parents), device=level.device) + first[:1]).to(level)
            level = self._read(self.keys[below] % size, level[parents])
            ends = torch.searchsorted(self.keys, torch.stack((below + 1, below + 2)) * size)
            level = level[ends[0] < ends[1]]
            found.append(level)
        return torch.cat(found)

    def _read(self, token_ids: Tensor, nodes: Tensor) -> Tensor:
        """(B,) token_ids lengthen the contexts of (B, K + 1) nodes by one character."""
        keys = nodes[:, :-1] * self.config.vocab_size + token_ids[:, None].to(nodes)  # (B, K)
        found = torch.searchsorted(self.keys, keys).clamp(max=len(self.keys) - 1)
        longer = torch.where(self.keys[found] == keys, (found + 1).to(nodes), -1)
        return torch.cat((nodes[:, :1], longer), 1)

    def _log_probs(self, nodes: Tensor) -> Tensor:
        """(..., K + 1) nodes of a context's suffixes to (..., V) log-probabilities."""
        size = self.config.vocab_size
        bounds = torch.searchsorted(self.keys, torch.stack((nodes, nodes + 1), -1) * size)
        first, last = bounds.unbind(-1)  # (..., K + 1) keys of each suffix's next characters
        total = self.cumulative[last] - self.cumulative[first]
        above = (self._counts(first, last) - self.discount).clamp(min=0)  # (..., K + 1, V)
        shared = self.discount * (last - first)
        seen = (total > 0)[..., None]
        probs = self.discount.new_full((*nodes.shape[:-1], size), 1 / size)
        for k in range(nodes.shape[-1]):  # the shortest suffix first
            mixed = (above[..., k, :] + shared[..., k, None] * probs) / total[..., k, None]
            probs = torch.where(seen[..., k, :], mixed, probs)
        return probs.log()

    def _counts(self, first: Tensor, last: Tensor) -> Tensor:
        """(..., V) counts of the next character, from the keys of `first` to before `last`."""
        slots = first[..., None] + torch.arange(self.config.vocab_size, device=first.device)
        seen = slots < last[..., None]
        slots = slots.clamp(max=len(self.keys) - 1)
        counts = (self.cumulative[slots + 1] - self.cumulative[slots]) * seen
        characters = (self.keys[slots] % self.config.vocab_size).long()
        return torch.zeros_like(counts).scatter_add_(-1, characters, counts)


class _Table(NamedTuple):
    """What is computed once.

    Attributes:
        rows: (G + 2,) integers: by node, the row of the longest context that it is, -1 where it is
            none; the last entry is for the node -1. Longer contexts have later rows.
        log_probs: (R, V); R = 0 where they would be too many.
    """

    rows: Tensor
    log_probs: Tensor


def _forget_table(model: nn.Module, _: object) -> None:
    cast(NGram, model)._table = None

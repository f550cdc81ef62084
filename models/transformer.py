"""Transformer character model (GPT-2), with a key/value cache for sampling.

Every position attends to itself and the positions before it; each layer adds
what its heads gathered, then what a small MLP makes of it.

Source: Vaswani et al. 2017, https://arxiv.org/abs/1706.03762, in the pre-norm
form of GPT-2 (Radford et al. 2019), sized as in makemore: 4 layers, 4 heads,
n_embd 64, 204,544 parameters with V = 27 and block_size 16.
Deviations: attention is torch's scaled_dot_product_attention; there is dropout,
and GPT-2's initialisation (std 0.02, residual projections divided by
sqrt(2 * n_layer)), where makemore has none and torch's default initialisation.

Shapes: B names, T characters, L = n_layer, C = n_embd, V = vocab_size,
heads of width C / n_head.
Cost: O(L * C^2) per character with the cache; state is 2 * L * block_size * C
numbers a name.
"""

import math
from collections.abc import Iterable
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.base import LanguageModel, State
from models.config import ModelConfig
from models.errors import ConfigError


class Here(NamedTuple):
    """Where rows stand, for every layer alike.

    Attributes:
        own: into (B, T, ...): each row's own position.
        later: (B, T, 1), whether a position is after a row's own.
    """

    own: tuple[Tensor, Tensor]
    later: Tensor

    @classmethod
    def at(cls, position: Tensor, slots: int) -> "Here":
        """Of rows at (B,) positions, T = slots."""
        rows = torch.arange(len(position), device=position.device)
        later = torch.arange(slots, device=position.device) > position[:, None]
        return cls((rows, position), later[..., None])


class CausalSelfAttention(nn.Module):
    """Multi-head self-attention over the past."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.n_head = config.n_head
        self.scale = math.sqrt(config.n_head / config.n_embd)
        self.dropout = config.dropout
        self.qkv = nn.Linear(config.n_embd, 3 * config.n_embd)
        self.proj = nn.Linear(config.n_embd, config.n_embd)

    def _heads(self, x: Tensor) -> Tensor:
        return self._heads_of(x).transpose(1, 2)  # (B, heads, T, C / heads)

    def _heads_of(self, x: Tensor) -> Tensor:
        return x.view(*x.shape[:2], self.n_head, -1)  # (B, T, heads, C / heads)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, C) -> (B, T, C)"""
        q, k, v = (self._heads(part) for part in self.qkv(x).chunk(3, dim=-1))
        dropout = self.dropout if self.training else 0.0
        y = F.scaled_dot_product_attention(q, k, v, dropout_p=dropout, is_causal=True)
        out: Tensor = self.proj(y.transpose(1, 2).flatten(2))
        return out

    def step(self, x: Tensor, keys: Tensor, values: Tensor, here: Here) -> Tensor:
        """One character a row: (B, C) -> (B, C).

        keys, values: (B, T, C), written in place at each row's position; those of later
        positions are there, but not attended to.
        """
        q, k, v = self.qkv(x).chunk(3, dim=-1)  # (B, C) each
        keys[here.own] = k
        values[here.own] = v
        # Written out: with one query a row it is faster than scaled_dot_product_attention.
        q = (q * self.scale)[:, None]
        scores = self._heads_of(keys * q).sum(-1)  # (B, T, heads)
        weights = scores.masked_fill_(here.later, -math.inf).softmax(1)[..., None]
        y = (self._heads_of(values) * weights).sum(1)  # (B, heads, C / heads)
        out: Tensor = self.proj(y.flatten(1))
        return out


class Block(nn.Module):
    """Attention, then an MLP of four times the width, each on a normalised residual stream."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(config.n_embd)
        self.attn = CausalSelfAttention(config)
        self.ln_2 = nn.LayerNorm(config.n_embd)
        self.widen = nn.Linear(config.n_embd, 4 * config.n_embd)
        self.shrink = nn.Linear(4 * config.n_embd, config.n_embd)
        self.dropout = nn.Dropout(config.dropout)

    def _mlp(self, x: Tensor) -> Tensor:
        hidden = F.gelu(self.widen(x), approximate="tanh")  # (..., 4C)
        out: Tensor = self.shrink(hidden)
        return out

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, C) -> (B, T, C)"""
        x = x + self.dropout(self.attn(self.ln_1(x)))
        x = x + self.dropout(self._mlp(self.ln_2(x)))
        return x

    def step(self, x: Tensor, keys: Tensor, values: Tensor, here: Here) -> Tensor:
        """(B, C) -> (B, C); see CausalSelfAttention.step."""
        x = x + self.attn.step(self.ln_1(x), keys, values, here)
        x = x + self._mlp(self.ln_2(x))
        return x


class Transformer(LanguageModel):
    """A GPT-2 of any size.

    Raises:
        ConfigError: n_head does not divide n_embd.
    """

    hyperparameters = ("block_size", "vocab_size", "n_layer", "n_head", "n_embd", "dropout")

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        if config.n_embd % config.n_head:
            raise ConfigError(f"n_embd {config.n_embd} is no multiple of n_head {config.n_head}")
        self.token_embedding = nn.Embedding(config.vocab_size, config.n_embd)
        self.position_embedding = nn.Embedding(config.block_size, config.n_embd)
        self.dropout = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.n_layer))
        self.ln_f = nn.LayerNorm(config.n_embd)
        self.lm_head = nn.Linear(config.n_embd, config.vocab_size, bias=False)
        self.apply(self._initialize)

    def _initialize(self, module: nn.Module) -> None:
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.normal_(module.weight, std=0.02)
        if isinstance(module, nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)
        if isinstance(module, Block):
            std = 0.02 / math.sqrt(2 * self.config.n_layer)
            nn.init.normal_(module.attn.proj.weight, std=std)
            nn.init.normal_(module.shrink.weight, std=std)

    def forward(self, token_ids: Tensor) -> Tensor:
        """(B, T) token_ids, T <= block_size, to (B, T, V) logits."""
        positions = torch.arange(token_ids.shape[1], device=token_ids.device)
        x = self.token_embedding(token_ids) + self.position_embedding(positions)  # (B, T, C)
        x = self.dropout(x)
        for block in self.blocks:
            x = block(x)
        logits: Tensor = self.lm_head(self.ln_f(x))  # (B, T, V)
        return logits

    @property
    def time_axes(self) -> tuple[int | None, ...]:
        """Keys and values of a character are written once."""
        return 2, 2, None

    def initial_state(self, batch_size: int) -> State:
        """Keys and values (B, L, block_size, C) each, and every row's position (B,)."""
        c = self.config
        weight = self.lm_head.weight
        cache = weight.new_zeros(2, batch_size, c.n_layer, c.block_size, c.n_embd)
        return cache[0], cache[1], weight.new_zeros(batch_size, dtype=torch.int64)

    def step(self, token_ids: Tensor, state: State) -> tuple[Tensor, State]:
        """(B,) token_ids to (B, V) logits; the caches are written in place."""
        keys, values, position = state
        # In float64 all slots take part, so that the shapes, and with them the bits, never
        # depend on where a row stands; else only as many as there is something in.
        slots = self.config.block_size
        if keys.dtype != torch.float64:
            slots = int(position.max()) + 1
        here = Here.at(position, slots)
        x = self.token_embedding(token_ids) + self.position_embedding(position)  # (B, C)
        for layer, block in enumerate(cast("Iterable[Block]", self.blocks)):
            x = block.step(x, keys[:, layer, :slots], values[:, layer, :slots], here)
        logits: Tensor = self.lm_head(self.ln_f(x))  # (B, V)
        return logits, (keys, values, position + 1)

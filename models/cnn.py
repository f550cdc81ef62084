"""Convolutional character model (WaveNet).

Each layer fuses pairs of neighbours: the first of characters, the second of
pairs, the third of fours, so that three layers see 8 characters and four 16.

Source: van den Oord et al. 2016, https://arxiv.org/abs/1609.03499, as in lecture
6 of Karpathy's series, which fuses a window of 8 in a tree of Linear, batch
normalisation and tanh.
Deviations: the lecture computes one window at a time; here the same tree stands
at every character, as causal convolutions of width 2 and dilation 1, 2, 4 ...,
which share what windows have in common. No gates, residual or skip connections,
as in the lecture. Before the first character there are boundaries. block_size
need not be a power of two: the last dilation is what is left.

Batch normalisation takes the statistics of a batch in training mode only, over
all its positions, padding included; sampling and scoring use running averages.

Shapes: B names, T characters, K = block_size, C = n_embd, H = n_embd2, V = vocab_size.
Cost: O(C * H + log(K) * H * H + H * V) per character; the state is the layers' last
inputs, as many as their dilations, K - 1 vectors in all.
"""

from collections.abc import Iterable
from typing import cast

import torch
from torch import Tensor, nn

from models.base import LanguageModel, State
from models.config import ModelConfig
from models.vocabulary import BOUNDARY


def dilations(block_size: int) -> list[int]:
    """1, 2, 4 ... up to a last one that makes them block_size - 1 in all; at least one."""
    found: list[int] = []
    while (left := block_size - 1 - sum(found)) or not found:
        found.append(min(2 ** len(found), left))
    return found


class Fusion(nn.Module):
    """One vector of every pair of vectors that stand `dilation` apart."""

    def __init__(self, width_in: int, width: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.dilation = dilation
        # Batch normalisation brings the bias.
        self.linear = nn.Linear(2 * width_in, width, bias=False)
        self.norm = nn.BatchNorm1d(width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, earlier: Tensor, x: Tensor) -> Tensor:
        """(N, width_in) twice -> (N, width)"""
        fused = self.norm(self.linear(torch.cat((earlier, x), dim=-1)))
        out: Tensor = self.dropout(torch.tanh(fused))
        return out


class CNN(LanguageModel):
    """A tree of fusions at every character."""

    hyperparameters = ("block_size", "vocab_size", "n_embd", "n_embd2", "dropout")

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.token_embedding = nn.Embedding(config.vocab_size, config.n_embd)
        width = config.n_embd
        self.fusions = nn.ModuleList()
        for dilation in dilations(config.block_size):
            self.fusions.append(Fusion(width, config.n_embd2, dilation, config.dropout))
            width = config.n_embd2
        self.lm_head = nn.Linear(width, config.vocab_size)

    @property
    def max_length(self) -> None:
        """None: the window slides along a name of any length."""
        return None

    def forward(self, token_ids: Tensor) -> Tensor:
        """(B, T) token_ids to (B, T, V) logits."""
        # Column 0 stands for everything before the name; every layer carries it along.
        x = self.token_embedding(nn.functional.pad(token_ids, (1, 0), value=BOUNDARY))
        columns = torch.arange(x.shape[1], device=x.device)  # (1 + T,)
        for fusion in self._layers():
            earlier = x[:, (columns - fusion.dilation).clamp(min=0)]  # (B, 1 + T, width)
            x = fusion(earlier.flatten(0, 1), x.flatten(0, 1)).unflatten(0, (len(x), -1))
        logits: Tensor = self.lm_head(x[:, 1:])  # (B, T, V)
        return logits

    def initial_state(self, batch_size: int) -> State:
        """The last inputs of every layer, (B, dilation, width) each: those of boundaries."""
        # Always of one row: the bits of a product depend on its height.
        x = self.token_embedding(torch.full((1,), BOUNDARY, device=self.device))  # (1, C)
        state = []
        for fusion in self._layers():
            state.append(x[:, None].repeat(batch_size, fusion.dilation, 1))
            x = fusion(x, x)
        return tuple(state)

    def step(self, token_ids: Tensor, state: State) -> tuple[Tensor, State]:
        """(B,) token_ids to (B, V) logits."""
        x = self.token_embedding(token_ids)  # (B, C)
        after = []
        for fusion, inputs in zip(self._layers(), state, strict=True):
            recent = torch.cat((inputs, x[:, None]), dim=1)  # (B, dilation + 1, width)
            after.append(recent[:, 1:])
            x = fusion(recent[:, 0], x)
        logits: Tensor = self.lm_head(x)
        return logits, tuple(after)

    def _layers(self) -> Iterable[Fusion]:
        return cast("Iterable[Fusion]", self.fusions)

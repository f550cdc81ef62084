"""Recurrent character models: RNN, GRU and LSTM.

Each reads one character at a time and keeps a hidden vector. The plain network
rewrites all of it at every character; the GRU has learned gates that decide how
much to forget and how much to rewrite; the LSTM keeps a second vector, the cell,
that is only ever scaled and added to, so that it remembers longer.

Sources: RNN, Mikolov et al. 2010, https://www.isca-archive.org/interspeech_2010/mikolov10_interspeech.html;
GRU, Cho et al. 2014, https://arxiv.org/abs/1409.1259; LSTM, Graves 2013,
https://arxiv.org/abs/1308.0850. RNN and GRU as in makemore, which has no LSTM.
Deviations: torch.nn.GRU applies the reset gate after the candidate's matrix
product and lets the update gate keep where makemore's lets it write; Graves'
LSTM has peephole connections, torch.nn.LSTM none. Weights do not transfer. The
first hidden vector is learned, as in makemore, one a layer; layers may be
stacked, and dropout acts on what each of them reads and on the output.

Shapes: B names, T characters, L = n_layer, C = n_embd, H = n_embd2, V = vocab_size.
Cost: O(G * H * (C + H) + H * V) per character and layer, with G = 1, 3 or 4
matrices; the state is (B, L, H), twice that for the LSTM, however long the name.
"""

from collections.abc import Callable
from typing import ClassVar, cast

import torch
from torch import Tensor, nn

from models.base import LanguageModel, State
from models.config import ModelConfig


class Recurrent(LanguageModel):
    """What the three have in common; a subclass names its core.

    Attributes:
        start: (S, L, H) the hidden vectors before the first character; S = 2
            where there is a cell, else 1.
    """

    hyperparameters = ("block_size", "vocab_size", "n_layer", "n_embd", "n_embd2", "dropout")
    core_type: ClassVar[Callable[..., nn.RNNBase]]
    vectors = 1
    """S: hidden vectors a layer."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.token_embedding = nn.Embedding(config.vocab_size, config.n_embd)
        # torch warns of a dropout between layers where there is one layer.
        between = config.dropout if config.n_layer > 1 else 0.0
        self.core = self.core_type(
            config.n_embd, config.n_embd2, config.n_layer, batch_first=True, dropout=between
        )
        self.start = nn.Parameter(torch.zeros(self.vectors, config.n_layer, config.n_embd2))
        self.dropout = nn.Dropout(config.dropout)
        self.lm_head = nn.Linear(config.n_embd2, config.vocab_size)

    def forward(self, token_ids: Tensor) -> Tensor:
        """(B, T) token_ids to (B, T, V) logits."""
        logits, _ = self._read(token_ids, self.initial_state(len(token_ids)))
        return logits

    def initial_state(self, batch_size: int) -> State:
        """S tensors of (B, L, H)."""
        return tuple(vector.expand(batch_size, -1, -1).clone() for vector in self.start)

    def step(self, token_ids: Tensor, state: State) -> tuple[Tensor, State]:
        """(B,) token_ids to (B, V) logits."""
        logits, state = self._read(token_ids[:, None], state)
        return logits[:, 0], state

    def _read(self, token_ids: Tensor, state: State) -> tuple[Tensor, State]:
        """(B, T) token_ids to (B, T, V) logits and the state after the last of them."""
        hidden = tuple(vector.transpose(0, 1).contiguous() for vector in state)  # (L, B, H) each
        x = self.dropout(self.token_embedding(token_ids))  # (B, T, C)
        # nn.LSTM takes and gives its two vectors as a pair, the others one tensor.
        x, hidden = self.core(x, hidden if self.vectors > 1 else hidden[0])  # (B, T, H)
        after = hidden if self.vectors > 1 else (cast(Tensor, hidden),)
        logits: Tensor = self.lm_head(self.dropout(x))  # (B, T, V)
        return logits, tuple(vector.transpose(0, 1) for vector in after)


class RNN(Recurrent):
    """The plain recurrent network: h = tanh(W x + U h)."""

    core_type = nn.RNN


class GRU(Recurrent):
    """Gated recurrent units."""

    core_type = nn.GRU


class LSTM(Recurrent):
    """Long short-term memory."""

    core_type = nn.LSTM
    vectors = 2

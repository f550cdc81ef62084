"""Bag of words: the plain average of what has been read so far.

Every character's embedding is added to the average of its own and all before
it, and a small MLP reads the sum: attention that looks at everything alike.

Source: makemore's BoW, https://github.com/karpathy/makemore; the averaging is
the first step towards attention in Karpathy's lecture on GPT.
Deviations: makemore averages by a softmax over a mask of -inf; here by a
cumulative sum, which is the same mean.

Shapes: B names, T characters, C = n_embd, H = n_embd2, V = vocab_size.
Cost: O(C * H + C * V) per character; the state is a sum (B, C) and a position (B,).
"""

import torch
from torch import Tensor, nn

from models.base import LanguageModel, State
from models.config import ModelConfig


class BagOfWords(LanguageModel):
    """A causal average of embeddings, and an MLP on it, each added to what it read."""

    hyperparameters = ("block_size", "vocab_size", "n_embd", "n_embd2", "dropout")

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.token_embedding = nn.Embedding(config.vocab_size, config.n_embd)
        self.position_embedding = nn.Embedding(config.block_size, config.n_embd)
        self.widen = nn.Linear(config.n_embd, config.n_embd2)
        self.shrink = nn.Linear(config.n_embd2, config.n_embd)
        self.dropout = nn.Dropout(config.dropout)
        self.lm_head = nn.Linear(config.n_embd, config.vocab_size)

    def forward(self, token_ids: Tensor) -> Tensor:
        """(B, T) token_ids, T <= block_size, to (B, T, V) logits."""
        positions = torch.arange(token_ids.shape[1], device=token_ids.device)
        x = self._embed(token_ids, positions)  # (B, T, C)
        return self._predict(x, x.cumsum(1), positions)

    def initial_state(self, batch_size: int) -> State:
        """The sum of the embeddings so far (B, C) and every row's position (B,)."""
        weight = self.lm_head.weight
        total = weight.new_zeros(batch_size, self.config.n_embd)
        return total, weight.new_zeros(batch_size, dtype=torch.int64)

    def step(self, token_ids: Tensor, state: State) -> tuple[Tensor, State]:
        """(B,) token_ids to (B, V) logits."""
        total, position = state
        x = self._embed(token_ids, position)  # (B, C)
        total = total + x
        return self._predict(x, total, position), (total, position + 1)

    def _embed(self, token_ids: Tensor, positions: Tensor) -> Tensor:
        embedded: Tensor = self.token_embedding(token_ids) + self.position_embedding(positions)
        return embedded

    def _predict(self, x: Tensor, total: Tensor, positions: Tensor) -> Tensor:
        """(..., C) embeddings and their running sums to (..., V) logits."""
        x = x + total / (positions + 1)[..., None]
        x = x + self.dropout(self.shrink(torch.tanh(self.widen(x))))
        logits: Tensor = self.lm_head(x)
        return logits

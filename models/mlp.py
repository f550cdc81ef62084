"""Multilayer perceptron over the last characters.

The embeddings of the last block_size characters stand side by side and go
through one hidden layer of tanh. Before the first character there are boundaries.

Source: Bengio et al. 2003, https://www.jmlr.org/papers/v3/bengio03a.html, as in
lectures 3 and 4 of Karpathy's series and in makemore.
Deviations: no direct connections from input to output (the paper has them as an
option); makemore fills the empty context with a token of its own, here, as in
the lectures, the boundary does. Dropout, where a recipe has it, is on the hidden layer.

Shapes: B names, T characters, K = block_size, C = n_embd, H = n_embd2, V = vocab_size.
Cost: O(K * C * H + H * V) per character; the state is a window of K characters.
"""

import torch
from torch import Tensor, nn

from models.base import LanguageModel, State
from models.config import ModelConfig
from models.vocabulary import BOUNDARY


class MLP(LanguageModel):
    """One hidden layer on the embeddings of a sliding window."""

    hyperparameters = ("block_size", "vocab_size", "n_embd", "n_embd2", "dropout")

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.token_embedding = nn.Embedding(config.vocab_size, config.n_embd)
        self.hidden = nn.Linear(config.block_size * config.n_embd, config.n_embd2)
        self.dropout = nn.Dropout(config.dropout)
        self.lm_head = nn.Linear(config.n_embd2, config.vocab_size)

    @property
    def context(self) -> int:
        """The window."""
        return self.config.block_size

    @property
    def max_length(self) -> None:
        """None: the window slides along a name of any length."""
        return None

    def forward(self, token_ids: Tensor) -> Tensor:
        """(B, T) token_ids to (B, T, V) logits."""
        padding = self.config.block_size - 1
        padded = nn.functional.pad(token_ids, (padding, 0), value=BOUNDARY)  # (B, K - 1 + T)
        return self._predict(padded.unfold(1, self.config.block_size, 1))  # (B, T, K)

    def initial_state(self, batch_size: int) -> State:
        """The last K characters, (B, K) int64: boundaries."""
        window = torch.full((batch_size, self.config.block_size), BOUNDARY, device=self.device)
        return (window,)

    def step(self, token_ids: Tensor, state: State) -> tuple[Tensor, State]:
        """(B,) token_ids to (B, V) logits."""
        window = torch.cat((state[0][:, 1:], token_ids[:, None]), dim=1)
        return self._predict(window), (window,)

    def _predict(self, window: Tensor) -> Tensor:
        """(..., K) token_ids to (..., V) logits."""
        x = self.token_embedding(window).flatten(-2)  # (..., K * C)
        logits: Tensor = self.lm_head(self.dropout(torch.tanh(self.hidden(x))))
        return logits

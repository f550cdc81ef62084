"""Bigram model by counting.

The probability of a character is the number of times it followed the one
before it, plus a little for the pairs that never occurred.

Source: Karpathy, "The spelled-out intro to language modeling: building
makemore", https://github.com/karpathy/nn-zero-to-hero (lecture 2).
Deviations: the lecture adds 1 to every count; here the amount is `smoothing`,
and counts are kept apart from it, so that both can be read from the checkpoint.

Shapes: B names, T characters, V = vocab_size.
Cost: O(V) per character when stepping, O(V^2) once per `forward`; no state.
"""

import torch
from torch import Tensor

from models.base import LanguageModel, State
from models.config import ModelConfig


class Bigram(LanguageModel):
    """P(next | last) in proportion to `counts` + `smoothing`.

    Buffers:
        counts: (V, V) int64, how often column followed row; 0 is the boundary.
        smoothing: () float, >= 0, added to every count. At 0 an unseen pair has
            probability 0 and its logit is -inf.
    """

    hyperparameters = ("block_size", "vocab_size")
    counts: Tensor
    smoothing: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        size = config.vocab_size
        self.register_buffer("counts", torch.zeros(size, size, dtype=torch.int64))
        self.register_buffer("smoothing", torch.ones(()))

    @property
    def context(self) -> int:
        """1: the last character."""
        return 1

    @property
    def max_length(self) -> None:
        """None: one character of context slides along a name of any length."""
        return None

    @property
    def parameter_count(self) -> int:
        """The counts."""
        return self.counts.numel()

    def forward(self, token_ids: Tensor) -> Tensor:
        """(B, T) token_ids to (B, T, V) logits: a table row each."""
        return self._log_probs(self.counts)[token_ids]

    def initial_state(self, batch_size: int) -> State:
        """Nothing: the last character is all that counts."""
        del batch_size
        return ()

    def step(self, token_ids: Tensor, state: State) -> tuple[Tensor, State]:
        """(B,) token_ids to (B, V) logits."""
        return self._log_probs(self.counts[token_ids]), state

    def _log_probs(self, counts: Tensor) -> Tensor:
        """(..., V) counts to (..., V) log-probabilities."""
        weights = counts.to(self.smoothing.dtype) + self.smoothing
        return torch.log(weights / weights.sum(-1, keepdim=True))

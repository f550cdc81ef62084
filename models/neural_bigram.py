"""Neural bigram model: one linear layer on one-hot characters.

The layer's row for the last character is the logits of the next one. Fitted by
gradient descent it goes where counting goes: its weights become log counts, and
a penalty on their squares does what smoothing does.

Source: Karpathy, "The spelled-out intro to language modeling: building
makemore", https://github.com/karpathy/nn-zero-to-hero (lecture 2), where the
weights begin as unit normals; the lookup-table model of running text in his
lecture on GPT is the same.
Deviations: the product with a one-hot vector is a look-up of its row.

Shapes: B names, T characters, V = vocab_size.
Cost: O(V) per character; no state.
"""

import torch
from torch import Tensor, nn

from models.base import LanguageModel, State
from models.config import ModelConfig


class NeuralBigram(LanguageModel):
    """Logits of the next character: the weights' row of the last one, (V, V)."""

    hyperparameters = ("block_size", "vocab_size")

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.weight = nn.Parameter(torch.empty(config.vocab_size, config.vocab_size))
        nn.init.normal_(self.weight)

    @property
    def context(self) -> int:
        """1: the last character."""
        return 1

    @property
    def max_length(self) -> None:
        """None: one character of context slides along a name of any length."""
        return None

    def forward(self, token_ids: Tensor) -> Tensor:
        """(B, T) token_ids to (B, T, V) logits: a row of the weights each."""
        return self.weight[token_ids]

    def initial_state(self, batch_size: int) -> State:
        """Nothing: the last character is all that counts."""
        del batch_size
        return ()

    def step(self, token_ids: Tensor, state: State) -> tuple[Tensor, State]:
        """(B,) token_ids to (B, V) logits."""
        return self.weight[token_ids], state

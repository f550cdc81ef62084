"""The contract every language model keeps.

A model reads characters and predicts the next one, in two ways that must
agree: `forward` over whole sequences (training, evaluation) and `step`, one
character at a time with a carried state (sampling, scoring).

Shapes: B names, T characters, V = vocab_size. All outputs have the dtype of
the model's weights: float32 as trained, float64 when served.
"""

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor, nn

from models.config import ModelConfig

State = tuple[Tensor, ...]
"""What a model carries from one character to the next: tensors of shape (B, ...)."""


class LanguageModel(nn.Module, ABC):
    """A causal character model; `tests/models/test_contract.py` proves the contract.

    - Logits at position t depend on characters <= t only.
    - Rows of a batch do not influence each other.
    - Stepping through a sequence gives the logits of `forward`.
    """

    hyperparameters: ClassVar[tuple[str, ...]]
    """The fields of ModelConfig that this architecture reads."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config

    @property
    def max_length(self) -> int | None:
        """The longest name that fits with its end, or None when the context slides."""
        return self.config.block_size - 1

    @property
    def context(self) -> int | None:
        """How many of the last characters decide, boundaries before the first; None: all."""
        return None

    @property
    def time_axes(self) -> tuple[int | None, ...]:
        """Of each tensor of the state: the axis along which step t writes entry t alone.

        None where a step writes the tensor anew; so it is unless an architecture says otherwise.
        What is there from later steps of another name is not looked at.
        """
        return (None,) * len(self.initial_state(1))

    @property
    def parameter_count(self) -> int:
        """How many numbers were fitted."""
        return sum(parameter.numel() for parameter in self.parameters())

    @property
    def device(self) -> torch.device:
        """Where its tensors are."""
        return next(iter((*self.parameters(), *self.buffers()))).device

    @abstractmethod
    def forward(self, token_ids: Tensor) -> Tensor:
        """Predict every next character.

        Args:
            token_ids: (B, T) int64 from 0 to V - 1; T <= block_size unless
                `max_length` is None.

        Returns:
            logits: (B, T, V); softmax over V gives the probability of the
            character at t + 1 after the characters up to t.
        """

    @abstractmethod
    def initial_state(self, batch_size: int) -> State:
        """The state of `batch_size` names before their first (boundary) character.

        The same bits in every row, whatever `batch_size`.
        """

    @abstractmethod
    def step(self, token_ids: Tensor, state: State) -> tuple[Tensor, State]:
        """Read one more character of each name. Rows may stand at different positions.

        Args:
            token_ids: (B,) int64, the boundary first.
            state: from `initial_state` or the last step; may be overwritten.

        Returns:
            logits: (B, V) for the next character, and the state after this one.
        """

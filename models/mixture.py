"""Mixture: the weighted mean of several models' probabilities.

Models of different kinds err in different places, so that their mean is better
than the best of them. Members are fitted each on its own; afterwards their
weights are chosen by expectation maximisation on held-out names.

Source: mixtures of experts with fixed weights, i.e. linear interpolation as in
Jelinek and Mercer 1980; for neural networks Lakshminarayanan et al. 2017 (deep
ensembles), https://arxiv.org/abs/1612.01474.
Deviations: the mean is taken of every character's distribution rather than of
whole names' probabilities, which keeps each step a plain softmax.

Shapes: B names, T characters, M members, V = vocab_size.
Cost: the members' together; so is the state.
"""

from collections.abc import Iterable, Sequence
from typing import cast

import torch
from torch import Tensor, nn

from models.base import LanguageModel, State
from models.config import ModelConfig
from models.errors import ConfigError


class Mixture(LanguageModel):
    """log of the weighted mean of the members' probabilities.

    Args:
        config: with `members`.
        members: a model of each.

    Buffers:
        weights: (M,) float, at least 0, summing to 1; equal at first.

    Raises:
        ConfigError: there is no member, or one of them can read less than block_size.
    """

    hyperparameters = ("block_size", "vocab_size", "members")
    weights: Tensor

    def __init__(self, config: ModelConfig, members: Sequence[LanguageModel]) -> None:
        super().__init__(config)
        if not members:
            raise ConfigError("a mixture needs members")
        limits = [member.max_length for member in members if member.max_length is not None]
        if limits and min(limits) < config.block_size - 1:
            raise ConfigError(
                f"block_size {config.block_size} of the mixture is more than a member can read"
            )
        self.members = nn.ModuleList(members)
        self._sizes: tuple[int, ...] = ()  # tensors in each member's state
        self.register_buffer("weights", torch.full((len(members),), 1 / len(members)))

    @property
    def time_axes(self) -> tuple[int | None, ...]:
        """The members', one after the other."""
        return tuple(axis for member in self._each() for axis in member.time_axes)

    @property
    def parameter_count(self) -> int:
        """The members' together, and their weights."""
        return sum(member.parameter_count for member in self._each()) + self.weights.numel()

    def forward(self, token_ids: Tensor) -> Tensor:
        """(B, T) token_ids, T <= block_size, to (B, T, V) logits: log-probabilities."""
        return self._mix([member(token_ids) for member in self._each()])

    def member_log_probs(self, token_ids: Tensor) -> Tensor:
        """(B, T) token_ids to every member's own log-probabilities, (M, B, T, V)."""
        return torch.stack([member(token_ids).log_softmax(-1) for member in self._each()])

    def initial_state(self, batch_size: int) -> State:
        """The members' states, one after the other."""
        states = [member.initial_state(batch_size) for member in self._each()]
        self._sizes = tuple(map(len, states))
        return tuple(tensor for state in states for tensor in state)

    def step(self, token_ids: Tensor, state: State) -> tuple[Tensor, State]:
        """(B,) token_ids to (B, V) logits."""
        logits: list[Tensor] = []
        after: list[Tensor] = []
        for member, size in zip(self._each(), self._sizes, strict=True):
            predicted, own = member.step(token_ids, state[len(after) : len(after) + size])
            logits.append(predicted)
            after.extend(own)
        return self._mix(logits), tuple(after)

    def _mix(self, logits: Sequence[Tensor]) -> Tensor:
        """M times (..., V) logits to the (..., V) log of their mean probability."""
        shares = self.weights.log().unbind()
        log_probs = [w + x.log_softmax(-1) for w, x in zip(shares, logits, strict=True)]
        return torch.stack(log_probs).logsumexp(0)

    def _each(self) -> Iterable[LanguageModel]:
        return cast("Iterable[LanguageModel]", self.members)

"""The hyperparameters of a model, under makemore's names.

One frozen dataclass serves every architecture; each reads the fields it has a
use for. `dropout` acts in training mode alone, `members` are a mixture's, and
`n_grams`, which follows from the corpus, is an n-gram model's.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from models.errors import ConfigError

# Generous bounds: they keep a damaged or hostile config.json from asking for
# terabytes before any tensor has been compared with it.
_LARGEST = {
    "block_size": 4096,
    "vocab_size": 65536,
    "n_layer": 128,
    "n_head": 256,
    "n_embd": 8192,
    "n_embd2": 32768,
    "n_grams": 1 << 26,
}
_SMALLEST = {"vocab_size": 2, "n_grams": 0}
_OPTIONAL = ("members", "n_grams")
"""Left out of a dict by models that have none."""
MAX_MEMBERS = 64


@dataclass(frozen=True)
class ModelConfig:
    """Hyperparameters of a language model.

    Attributes:
        block_size: the most characters of context a prediction can see, >= 1.
        vocab_size: V, characters plus the boundary, >= 2.
        n_layer: layers, >= 1.
        n_head: attention heads, >= 1; divides `n_embd` where there is attention.
        n_embd: C, width of the character embeddings, >= 1.
        n_embd2: H, width of the hidden layer, >= 1.
        dropout: probability of dropping an activation in training, 0 <= dropout < 1.
        members: the models that a mixture is made of, at most 64; none of them has members.
        n_grams: G, how many n-grams have a count, >= 0.

    Raises:
        ConfigError: a value is of the wrong type or out of its range.
    """

    block_size: int
    vocab_size: int
    n_layer: int = 1
    n_head: int = 1
    n_embd: int = 1
    n_embd2: int = 1
    dropout: float = 0.0
    members: "tuple[Member, ...]" = ()
    n_grams: int = 0

    def __post_init__(self) -> None:
        for name, largest in _LARGEST.items():
            value = getattr(self, name)
            smallest = _SMALLEST.get(name, 1)
            if type(value) is not int or not smallest <= value <= largest:
                raise ConfigError(
                    f"{name} must be an integer from {smallest} to {largest}, not {value!r}"
                )
        if type(self.dropout) not in (int, float) or not 0 <= self.dropout < 1:
            raise ConfigError(f"dropout must be a number from 0 to below 1, not {self.dropout!r}")
        if len(self.members) > MAX_MEMBERS:
            raise ConfigError(f"{len(self.members)} members; allowed: at most {MAX_MEMBERS}")
        for member in self.members:
            if member.config.members or member.config.vocab_size != self.vocab_size:
                raise ConfigError("a member has no members and the vocab_size of its mixture")

    def to_dict(self) -> dict[str, Any]:
        """The fields in declaration order, ready for JSON; no empty `members` or `n_grams`."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        values["members"] = [
            {"architecture": member.architecture, "config": member.config.to_dict()}
            for member in self.members
        ]
        return {name: value for name, value in values.items() if value or name not in _OPTIONAL}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "ModelConfig":
        """The inverse of `to_dict`.

        Raises:
            ConfigError: a field is missing, unknown, or out of its range.
        """
        expected = {field.name for field in fields(cls)}
        if odd := (set(values) | {*_OPTIONAL}) ^ expected:
            raise ConfigError(f"missing or unknown hyperparameters: {', '.join(sorted(odd))}")
        for name in _OPTIONAL:
            if name in values and not values[name]:
                raise ConfigError(f"{name} is empty; leave it out")
        members = values.get("members", [])
        if not isinstance(members, list):
            raise ConfigError("members is a list of models")
        return cls(**{**values, "members": tuple(map(Member.from_dict, members))})


@dataclass(frozen=True)
class Member:
    """One model of a mixture: its architecture's name in the registry and its hyperparameters."""

    architecture: str
    config: ModelConfig

    @classmethod
    def from_dict(cls, values: Any) -> "Member":
        """What `ModelConfig.to_dict` makes of it, read back; ConfigError where it is not that."""
        if not isinstance(values, dict) or set(values) != {"architecture", "config"}:
            raise ConfigError("a member has an architecture and a config, and nothing else")
        if not isinstance(values["config"], dict) or "members" in values["config"]:
            raise ConfigError("a member's config is an object without members")
        return cls(values["architecture"], ModelConfig.from_dict(values["config"]))

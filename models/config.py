"""The hyperparameters of a model, under makemore's names.

One frozen dataclass serves every architecture; each reads the fields it has a
use for. `dropout` acts in training mode alone, `members` are a mixture's.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
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
}
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

    def __post_init__(self) -> None:
        for name, largest in _LARGEST.items():
            value = getattr(self, name)
            smallest = 2 if name == "vocab_size" else 1
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
        """The fields in declaration order, ready for JSON; `members` only where there are some."""
        values = asdict(replace(self, members=()))
        del values["members"]
        if self.members:
            values["members"] = [
                {"architecture": member.architecture, "config": member.config.to_dict()}
                for member in self.members
            ]
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "ModelConfig":
        """The inverse of `to_dict`.

        Raises:
            ConfigError: a field is missing, unknown, or out of its range.
        """
        given = dict(values)
        members = given.pop("members", [])
        expected = {field.name for field in fields(cls)} - {"members"}
        if set(given) != expected:
            odd = ", ".join(sorted(set(given) ^ expected))
            raise ConfigError(f"missing or unknown hyperparameters: {odd}")
        if "members" in values and not (isinstance(members, list) and members):
            raise ConfigError("members is a list of models, or is left out")
        return cls(**given, members=tuple(Member.from_dict(member) for member in members))


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

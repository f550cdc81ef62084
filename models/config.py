"""The hyperparameters of a model, under makemore's names.

One frozen dataclass serves every architecture; each reads the fields it has a
use for. `dropout` acts in training mode alone.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields

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

    def to_dict(self) -> dict[str, int | float]:
        """The fields in declaration order, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, int | float]) -> "ModelConfig":
        """The inverse of `to_dict`.

        Raises:
            ConfigError: a field is missing, unknown, or out of its range.
        """
        expected = {field.name for field in fields(cls)}
        if set(values) != expected:
            odd = ", ".join(sorted(set(values) ^ expected))
            raise ConfigError(f"missing or unknown hyperparameters: {odd}")
        return cls(**values)  # type: ignore[arg-type]  # __post_init__ checks every type

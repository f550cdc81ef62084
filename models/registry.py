"""Every architecture, by the name that checkpoints and recipes use.

Adding a model: its file, its line here, its recipe. The contract test does the rest.
"""

from models.base import LanguageModel
from models.bigram import Bigram
from models.config import ModelConfig
from models.errors import ConfigError
from models.transformer import Transformer

ARCHITECTURES: dict[str, type[LanguageModel]] = {
    "bigram": Bigram,
    "transformer": Transformer,
}


def build_model(architecture: str, config: ModelConfig) -> LanguageModel:
    """A freshly initialised model in training mode, float32, on the CPU.

    Raises:
        ConfigError: the architecture is unknown or cannot have this configuration.
    """
    if architecture not in ARCHITECTURES:
        known = ", ".join(ARCHITECTURES)
        raise ConfigError(f"unknown architecture {architecture!r}; known: {known}")
    return ARCHITECTURES[architecture](config)

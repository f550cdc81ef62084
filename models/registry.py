"""Every architecture, by the name that checkpoints and recipes use.

Adding a model: its file, its line here, its recipe. The contract test does the rest.
"""

from models.base import LanguageModel
from models.bigram import Bigram
from models.bow import BagOfWords
from models.cnn import CNN
from models.config import ModelConfig
from models.errors import ConfigError
from models.mixture import Mixture
from models.mlp import MLP
from models.neural_bigram import NeuralBigram
from models.ngram import NGram
from models.recurrent import GRU, LSTM, RNN
from models.transformer import Transformer

ARCHITECTURES: dict[str, type[LanguageModel]] = {
    "bigram": Bigram,
    "neural-bigram": NeuralBigram,
    "ngram": NGram,
    "mlp": MLP,
    "bow": BagOfWords,
    "rnn": RNN,
    "gru": GRU,
    "lstm": LSTM,
    "cnn": CNN,
    "transformer": Transformer,
    "mixture": Mixture,
}


def build_model(architecture: str, config: ModelConfig) -> LanguageModel:
    """A freshly initialised model in training mode, float32, on the CPU.

    Raises:
        ConfigError: the architecture is unknown or cannot have this configuration.
    """
    if architecture not in ARCHITECTURES:
        known = ", ".join(ARCHITECTURES)
        raise ConfigError(f"unknown architecture {architecture!r}; known: {known}")
    kind = ARCHITECTURES[architecture]
    if issubclass(kind, Mixture):
        return kind(config, [build_model(m.architecture, m.config) for m in config.members])
    return kind(config)

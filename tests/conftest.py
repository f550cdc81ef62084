"""Factories that every test may use: the corpus, tiny random models, tiny checkpoints."""

import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import settings

from models.base import LanguageModel
from models.checkpoint import KINDS, Checkpoint, Metadata, save_checkpoint
from models.cnn import CNN
from models.config import Member, ModelConfig
from models.mlp import MLP
from models.neural_bigram import NeuralBigram
from models.ngram import NGram
from models.registry import build_model
from models.rows import longest_name
from models.vocabulary import BOUNDARY, Vocabulary

# A slow machine is no failure, and what is green stays green.
settings.register_profile("namewright", deadline=None, derandomize=True)
settings.load_profile("namewright")
# As served; at these sizes threads only wait for one another.
torch.set_num_threads(1)

# Where a shell starts it in the background it is ignored, by all that tests start, too.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

ALPHABET = "abcdefg"
SIZES = {"block_size": 9, "n_layer": 2, "n_head": 2, "n_embd": 8, "n_embd2": 8}


@pytest.fixture(scope="session")
def names_path() -> Path:
    """names.txt; its test is skipped where it is not at hand."""
    folder = os.environ.get("NAMEWRIGHT_DATA")
    if not folder:
        pytest.skip("NAMEWRIGHT_DATA is not set: it names the folder of names.txt")
    return Path(folder) / "names.txt"


@pytest.fixture
def make_model() -> Callable[..., tuple[LanguageModel, Vocabulary]]:
    """make_model(architecture, alphabet=, kind=, seed=, dtype=, **sizes) -> (model, vocabulary).

    In eval mode, float64 unless said otherwise; its weights are exact in float32.
    """

    def make(
        architecture: str,
        *,
        alphabet: str = ALPHABET,
        kind: str = "lines",
        seed: int = 0,
        dtype: torch.dtype = torch.float64,
        **sizes: int,
    ) -> tuple[LanguageModel, Vocabulary]:
        vocabulary = Vocabulary.of([alphabet], ends=KINDS[kind])
        n_grams = {"n_grams": 600} if architecture == "ngram" else {}
        config = ModelConfig(vocab_size=len(vocabulary), **(SIZES | n_grams | sizes))
        if architecture == "mixture":
            members = tuple(Member(name, config) for name in ("gru", "transformer", "mlp"))
            config = replace(config, members=members)
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            model = build_model(architecture, config)
            _randomize(model)
        return model.to(dtype).eval().requires_grad_(False), vocabulary

    return make


@pytest.fixture
def make_checkpoint(
    tmp_path: Path, make_model: Callable[..., tuple[LanguageModel, Vocabulary]]
) -> Callable[..., Path]:
    """make_checkpoint(architecture, name=, **as make_model takes) -> its folder.

    The folder is `tmp_path / name`, so several with one parent make a catalogue.
    """

    def make(architecture: str, *, name: str | None = None, **options: int | str) -> Path:
        model, vocabulary = make_model(architecture, dtype=torch.float32, **options)
        a, b = vocabulary.characters[:2]
        whole = "".join(vocabulary.characters)[: longest_name(model, vocabulary)]
        checkpoint = Checkpoint(
            architecture=architecture,
            model=model,
            vocabulary=vocabulary,
            metadata=Metadata(
                corpus={"name": "tiny.txt", "kind": options.get("kind", "lines"), "items": 3},
                training={"recipe": architecture, "seed": 0},
                evaluation={"clean": {"train": 1.0, "dev": 2.0, "test": 3.0}},
            ),
            training_names=frozenset({a, b, a + b} if vocabulary.ends else ()),
            metrics=({"step": 1, "dev_nll": 2.5}, {"step": 2, "dev_nll": 2.0}),
        )
        folder = tmp_path / (name or architecture)
        save_checkpoint(folder, checkpoint, [whole, a + b + a])
        return folder

    return make


def _randomize(model: LanguageModel) -> None:
    """Go so far from any initialisation that a wrong reading of the weights shows."""
    for parameter in model.parameters():
        parameter.data += 0.25 * torch.randn(parameter.shape)
    # Else a model whose context slides may hardly ever end a name, and tests wait for it.
    if isinstance(model, NeuralBigram):
        model.weight.data[:, BOUNDARY] += 1.5
    elif isinstance(model, MLP | CNN):
        model.lm_head.bias.data[BOUNDARY] += 1.5
    elif isinstance(model, NGram):  # a whole trie's first nodes
        model.keys.copy_(torch.arange(len(model.keys)))
        ends = model.keys % model.config.vocab_size == BOUNDARY
        counts = torch.randint(0, 20, model.keys.shape) + 40 * ends
        model.cumulative[1:] = counts.cumsum(0)
        model.discount.fill_(0.75)
        return
    for name, buffer in model.named_buffers():
        if name.endswith("weights"):  # of a mixture
            buffer.copy_(torch.rand(buffer.shape).softmax(0))
        elif buffer.is_floating_point():  # running averages of batch normalisation, smoothing
            buffer.copy_(0.5 + torch.rand(buffer.shape))
        else:  # counts
            buffer.copy_(torch.randint(0, 20, buffer.shape))

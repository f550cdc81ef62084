"""Every model of some folders, measured alike: what the page of models is made from."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

from models.base import LanguageModel
from models.bigram import Bigram
from models.checkpoint import Checkpoint, load_checkpoint
from models.config import ModelConfig
from models.errors import ConfigError
from models.generation import generate
from models.neural_bigram import NeuralBigram
from models.request import MAX_NAMES, GenerationRequest
from models.rows import ROWS
from models.transformer import Transformer
from training.corpus import Corpus, encode_lines, split_corpus
from training.counting import count
from training.evaluate import mean_nll
from training.explore import LECTURE_SEED
from training.full_batch import descend_fully
from training.recipes import RECIPES, FullBatch

NOVELTY_SEED = 0
SAMPLE_SEED = 42
SAMPLES = 10
UNPENALISED_STEPS = 10_000


@dataclass(frozen=True)
class Entry:
    """A model, measured.

    Attributes:
        folder: where it lies.
        checkpoint: the model.
        samples: what it draws with SAMPLE_SEED: names, or one piece of running text.
        multiply_adds: of its matrix products, per character as served.
        novelty: of MAX_NAMES names drawn with NOVELTY_SEED, the shares that are in
            makemore's train, in its dev or test but not in train, and in neither; None
            where it was fitted on another corpus, or draws no names at all.
    """

    folder: Path
    checkpoint: Checkpoint
    samples: tuple[str, ...]
    multiply_adds: int
    novelty: tuple[float, float, float] | None

    @property
    def id(self) -> str:
        """Its folder's name."""
        return self.folder.name

    @property
    def recipe(self) -> str:
        """Its recipe's name, as recorded."""
        return str(self.checkpoint.metadata.training.get("recipe", ""))


@dataclass(frozen=True)
class LectureCheck:
    """Lecture 2's neural bigram and counts over a whole corpus, made anew.

    Attributes:
        losses: with the penalty, by step.
        unpenalised_nll: after UNPENALISED_STEPS without it.
        counted_nll: of counts without smoothing.
    """

    losses: dict[int, float]
    unpenalised_nll: float
    counted_nll: float


def find_checkpoints(folders: Sequence[Path]) -> list[Path]:
    """The checkpoints in some folders: all that is in them, but for hidden folders and files.

    Returns:
        In the order of the recipes, others last.

    Raises:
        ConfigError: a folder is none, or is empty, or two checkpoints have one name.
    """
    found: list[Path] = []
    for folder in folders:
        if not folder.is_dir():
            raise ConfigError(f"{folder}: no such folder; name one that holds checkpoints")
        inside = [p for p in folder.iterdir() if p.is_dir() and not p.name.startswith(".")]
        if not inside:
            raise ConfigError(f"{folder}: holds no checkpoints; make one with the verb fit")
        found += inside
    twice = [name for name, n in Counter(path.name for path in found).items() if n > 1]
    if twice:
        raise ConfigError(f"two checkpoints are called {', '.join(sorted(twice))}; rename one")
    order = {name: place for place, name in enumerate(RECIPES)}
    return sorted(found, key=lambda path: (order.get(path.name, len(order)), path.name))


def measure(folder: Path, corpus: Corpus) -> Entry:
    """Load a checkpoint and measure it.

    Args:
        folder: the checkpoint.
        corpus: names; where it was fitted on them, novelty is counted.

    Raises:
        CheckpointError: it is not in order.
    """
    checkpoint = load_checkpoint(folder)
    model, vocabulary = checkpoint.model, checkpoint.vocabulary
    request = GenerationRequest(SAMPLE_SEED, SAMPLES if vocabulary.ends else 1)
    return Entry(
        folder=folder,
        checkpoint=checkpoint,
        samples=tuple(drawn.name for drawn in generate(model, vocabulary, request).names),
        multiply_adds=multiply_adds(model),
        novelty=_novelty(checkpoint, corpus),
    )


def multiply_adds(model: LanguageModel) -> int:
    """Of the matrix products of one step, per row; a table's look-up has none.

    Args:
        model: in eval mode.
    """
    token_ids = torch.zeros(ROWS, dtype=torch.int64, device=model.device)
    counted = FlopCounterMode(display=False)
    with torch.inference_mode(), counted:
        model.step(token_ids, model.initial_state(ROWS))
    # Attention is written out there, as no product that torch counts.
    attended = sum(
        2 * part.config.block_size * part.config.n_embd * part.config.n_layer
        for part in model.modules()
        if isinstance(part, Transformer)
    )
    return int(counted.get_total_flops()) // (2 * ROWS) + attended


def check_lecture(corpus: Corpus) -> LectureCheck:
    """Repeat what lecture 2 does over a whole corpus, from its own first weights.

    Args:
        corpus: any; the lecture's figures are those of names.txt.
    """
    vocabulary = corpus.vocabulary
    data = encode_lines(corpus.items, vocabulary)
    config = ModelConfig(block_size=1, vocab_size=len(vocabulary))
    penalised = descend_fully(_lecture_model(config), *data, FullBatch(steps=200))
    free = FullBatch(steps=UNPENALISED_STEPS, l2=0.0)
    counted = Bigram(config)
    count(counted, *data, smoothing=0.0)
    return LectureCheck(
        losses={int(row["step"]): row["train_loss"] for row in penalised},
        unpenalised_nll=descend_fully(_lecture_model(config), *data, free)[-1]["train_nll"],
        counted_nll=mean_nll(counted.double(), *data),
    )


def _lecture_model(config: ModelConfig) -> NeuralBigram:
    model = NeuralBigram(config)
    generator = torch.Generator().manual_seed(LECTURE_SEED)
    model.weight.data = torch.randn(model.weight.shape, generator=generator)
    return model


def _novelty(checkpoint: Checkpoint, corpus: Corpus) -> tuple[float, float, float] | None:
    if checkpoint.metadata.corpus.get("sha256") != corpus.sha256:
        return None
    request = GenerationRequest(NOVELTY_SEED, MAX_NAMES)
    drawn = [name.name for name in generate(checkpoint.model, checkpoint.vocabulary, request).names]
    if not drawn:
        return None
    split = split_corpus(corpus.items, "makemore")
    train, held_out = set(split.train), {*split.dev, *split.test} - set(split.train)
    in_train = sum(name in train for name in drawn) / len(drawn)
    in_held_out = sum(name in held_out for name in drawn) / len(drawn)
    return in_train, in_held_out, 1 - in_train - in_held_out

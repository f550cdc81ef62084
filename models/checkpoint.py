"""Checkpoints: a trained model in a folder, written whole or not at all, read strictly.

    model.safetensors     the weights, float32 (counts int64 or int32)
    config.json           architecture, hyperparameters, vocabulary, corpus, training, evaluation
    training_names.txt    the distinct training names, sorted, one a line
    reference.json        known answers, checked when loading (see reference.py)
    metrics.jsonl         the training curve
    held_out.json         NLLs of held-out names, where there are any (see held_out.py)
    plots/*.svg           pictures, where there are any (see plots.py)
    manifest.json         sha256 and size of every other file (see storage.py)

Hashes are compared first, since a flipped bit almost always passes safetensors
unnoticed; then every tensor's name, shape, dtype and finiteness; then the known
answers are recomputed. There is no pickle.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import save as tensors_to_bytes

from models.base import LanguageModel
from models.config import ModelConfig
from models.errors import CheckpointError, NamewrightError
from models.held_out import HeldOut, held_out_from_json, held_out_to_json
from models.plots import PLOT_FILE, plot_files, read_plots
from models.records import read_metrics, read_training_names
from models.reference import check_answers, known_answers, read_answers
from models.registry import build_model
from models.storage import SCHEMA, parse_json, read_folder, require_keys, to_json, write_folder
from models.vocabulary import Vocabulary
from models.weights import Uninitialised, load_weights

SAMPLER_VERSION = 2
"""Part of every fingerprint; goes up whenever a seed would yield other names."""

_FILES = (
    "config.json",
    "metrics.jsonl",
    "model.safetensors",
    "reference.json",
    "training_names.txt",
)
_HELD_OUT = "held_out.json"
_OPTIONAL = re.compile(rf"{PLOT_FILE.pattern}|{re.escape(_HELD_OUT)}")
_WRONG = (ValueError, TypeError, KeyError, AttributeError)
"""What comes of reading what is not as it should be."""
_CONFIG_KEYS = (
    "schema",
    "architecture",
    "config",
    "vocabulary",
    "corpus",
    "training",
    "evaluation",
)

KINDS = {"lines": True, "text": False}
"""Of a corpus: one item a line, or one running text; and whether its items end."""


@dataclass(frozen=True)
class Metadata:
    """What config.json says beside the model itself; plain JSON values.

    Attributes:
        corpus: name, kind (see KINDS; `lines` if missing), sha256, bytes, items, source,
            licence.
        training: recipe, seed, steps, versions, date, seconds and so on.
        evaluation: by split name, the NLLs in nats per character of its parts.
    """

    corpus: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    evaluation: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Checkpoint:
    """A model with all it needs to be served.

    Attributes:
        architecture: its name in the registry.
        model: the model; `load_checkpoint` gives it in eval mode, float64, on the CPU.
        vocabulary: V = model.config.vocab_size.
        metadata: see `Metadata`.
        training_names: the distinct names it was fitted on; none if it was running text.
        metrics: one dict an entry of the training curve.
        held_out: what percentiles of scores are told against; no part of the fingerprint.
        plots: pictures of it, name (PLOT_NAME) to SVG; no part of the fingerprint.
        fingerprint: 16 hex digits, equal only where every seed yields equal names;
            derived when loading, not stored.
    """

    architecture: str
    model: LanguageModel
    vocabulary: Vocabulary
    metadata: Metadata = field(default_factory=Metadata)
    training_names: frozenset[str] = frozenset()
    metrics: tuple[dict[str, Any], ...] = ()
    held_out: HeldOut | None = None
    plots: Mapping[str, bytes] = field(default_factory=dict)
    fingerprint: str = ""

    @property
    def kind(self) -> str:
        """Of the corpus: one of KINDS."""
        return next(kind for kind, ends in KINDS.items() if ends == self.vocabulary.ends)


def save_checkpoint(folder: Path, checkpoint: Checkpoint, reference_words: Iterable[str]) -> None:
    """Write `checkpoint` to `folder`, replacing one that is there, atomically.

    Args:
        folder: created if need be.
        checkpoint: its model in float32.
        reference_words: names whose NLLs become known answers, beside the alphabet's.

    Raises:
        CheckpointError: it could not be loaded again.
        ParameterError: a reference word is not one that the model can score.
        ValueError: NaN or an infinity is in the metadata.
        OSError: the disk is full, say. Whatever is raised, what was there before still is.
    """
    model = checkpoint.model
    weights = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    config = {
        "schema": SCHEMA,
        "architecture": checkpoint.architecture,
        "config": model.config.to_dict(),
        "vocabulary": "".join(checkpoint.vocabulary.characters),
        "corpus": checkpoint.metadata.corpus,
        "training": checkpoint.metadata.training,
        "evaluation": checkpoint.metadata.evaluation,
    }
    served = build_model(checkpoint.architecture, model.config)
    served.load_state_dict(weights)
    served.double().eval()
    reference = known_answers(served, checkpoint.vocabulary, reference_words)
    metrics = "".join(json.dumps(_shortened(row)) + "\n" for row in checkpoint.metrics)
    names = "".join(name + "\n" for name in sorted(checkpoint.training_names))
    files = (
        {
            "config.json": to_json(config),
            "metrics.jsonl": metrics.encode(),
            "model.safetensors": tensors_to_bytes(weights),
            "reference.json": to_json(reference),
            "training_names.txt": names.encode(),
        }
        | _held_out_files(checkpoint.held_out)
        | plot_files(folder, checkpoint.plots)
    )
    _interpret(folder, files)  # what could not be loaded must not replace what can
    write_folder(folder, files)


def _shortened(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of the training curve with the digits that float32 has."""
    return {
        name: float(f"{value:.7g}") if isinstance(value, float) else value
        for name, value in row.items()
    }


def load_checkpoint(folder: Path) -> Checkpoint:
    """Read and verify a checkpoint.

    Returns:
        The checkpoint, its model as it is served: eval mode, float64, on the CPU.

    Raises:
        CheckpointError: naming the file and the cause, for whatever is not in order.
    """
    return _interpret(folder, read_folder(folder, _FILES, _OPTIONAL))


def replace_plots(folder: Path, plots: Mapping[str, bytes]) -> None:
    """Give a checkpoint these pictures in place of those it has, atomically.

    Every other file stays as it is, byte for byte.

    Raises:
        CheckpointError: it is not in order, or one of the pictures is not.
        OSError: the disk is full, say. Whatever is raised, what was there before still is.
    """
    files = read_folder(folder, _FILES, _OPTIONAL)
    _interpret(folder, files)
    others = {name: data for name, data in files.items() if not PLOT_FILE.fullmatch(name)}
    write_folder(folder, others | plot_files(folder, plots))


def replace_held_out(folder: Path, held_out: HeldOut | None) -> None:
    """Give a checkpoint other held-out names to tell percentiles against, or none, likewise."""
    files = read_folder(folder, _FILES, _OPTIONAL)
    files.pop(_HELD_OUT, None)
    files |= _held_out_files(held_out)
    _interpret(folder, files)
    write_folder(folder, files)


def _held_out_files(held_out: HeldOut | None) -> dict[str, bytes]:
    return {} if held_out is None else {_HELD_OUT: held_out_to_json(held_out)}


def _interpret(folder: Path, files: Mapping[str, bytes]) -> Checkpoint:
    """The checkpoint that some files are, or CheckpointError naming the one at fault."""
    with _at_fault(folder / "config.json", "not a valid configuration: "):
        config = parse_json(files["config.json"])
        model, vocabulary = _build(config)
        metadata = Metadata(config["corpus"], config["training"], config["evaluation"])
    # What takes no time before the weights: what is refused is so at once.
    with _at_fault(folder / "metrics.jsonl"):
        metrics = read_metrics(files["metrics.jsonl"])
    with _at_fault(folder / "training_names.txt"):
        names = read_training_names(files["training_names.txt"], vocabulary)
    with _at_fault(folder / _HELD_OUT):
        held_out = _read_held_out(files[_HELD_OUT], vocabulary) if _HELD_OUT in files else None
    plots = read_plots(folder, files)
    with _at_fault(folder / "reference.json"):
        reference = read_answers(parse_json(files["reference.json"]), vocabulary)
    with _at_fault(folder / "model.safetensors"):
        load_weights(model, vocabulary, files["model.safetensors"])
    with _at_fault(folder / "reference.json"):
        check_answers(model, vocabulary, reference)
    return Checkpoint(
        architecture=config["architecture"],
        model=model,
        vocabulary=vocabulary,
        metadata=metadata,
        training_names=names,
        metrics=metrics,
        held_out=held_out,
        plots=plots,
        fingerprint=_fingerprint(files["model.safetensors"], config),
    )


@contextmanager
def _at_fault(path: Path, what: str = "") -> Iterator[None]:
    """Whatever is wrong with what is read within, is wrong with this file."""
    try:
        yield
    except (NamewrightError, SafetensorError, *_WRONG) as error:
        raise CheckpointError(path, f"{what}{error}") from error


def _build(config: Mapping[str, Any]) -> tuple[LanguageModel, Vocabulary]:
    """The model that `config` describes, without memory for its weights yet."""
    require_keys(config, _CONFIG_KEYS)
    if config["schema"] != SCHEMA:
        raise ValueError(f"schema {config['schema']!r} is not {SCHEMA}, the one known here")
    kind = config["corpus"].get("kind", "lines")
    if kind not in KINDS:
        raise ValueError(f"corpus.kind is {kind!r}; known: {', '.join(KINDS)}")
    vocabulary = Vocabulary(tuple(config["vocabulary"]), ends=KINDS[kind])
    hyperparameters = ModelConfig.from_dict(config["config"])
    if hyperparameters.vocab_size != len(vocabulary):
        raise ValueError(
            f"vocab_size {hyperparameters.vocab_size} does not fit a vocabulary of "
            f"{len(vocabulary)} with its boundary"
        )
    # "meta" allocates nothing: a hostile configuration cannot take the memory.
    with torch.device("meta"), Uninitialised():
        return build_model(config["architecture"], hyperparameters), vocabulary


def _read_held_out(data: bytes, vocabulary: Vocabulary) -> HeldOut:
    if not vocabulary.ends:
        raise ValueError("running text has no names that could be held out")
    return held_out_from_json(data)


def _fingerprint(weights: bytes, config: Mapping[str, Any]) -> str:
    """Hash of all that decides which names a seed yields."""
    # The weights alone would not do: with another n_head or alphabet the same
    # tensors speak otherwise.
    decisive = {key: config[key] for key in ("architecture", "config", "vocabulary")}
    decisive["weights"] = hashlib.sha256(weights).hexdigest()
    decisive["sampler_version"] = SAMPLER_VERSION
    if (kind := config["corpus"].get("kind", "lines")) != "lines":  # which came first
        decisive["kind"] = kind
    return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()[:16]

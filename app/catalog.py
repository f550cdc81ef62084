"""The models that this process serves, verified and on their device."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

import torch

from app.errors import FingerprintMismatchError, ModelNotFoundError
from app.settings import Settings
from app.startup import StartupError
from app.unsafe_words import load_unsafe_words
from models.base import LanguageModel
from models.checkpoint import Checkpoint, load_checkpoint
from models.plots import plot_title
from models.request import GenerationRequest, Job, default_length
from models.rows import longest_name
from models.word_list import WordList


@dataclass(frozen=True)
class Plot:
    """A picture of a model: its title, the SVG, and the ETag of that."""

    title: str
    svg: bytes
    etag: str


@dataclass(frozen=True, eq=False)
class ServedModel:
    """A checkpoint with its model in float64 on the device where it runs; equal to itself alone.

    Attributes:
        unsafe_words: what requests that are `safe` leave out.
        safe: whether those that do not say are.
    """

    id: str
    checkpoint: Checkpoint
    device: str
    unsafe_words: WordList = WordList()
    safe: bool = False

    @cached_property
    def plots(self) -> Mapping[str, Plot]:
        """Its pictures by name, in the order of the names."""
        return {
            name: Plot(plot_title(svg), svg, f'"{hashlib.sha256(svg).hexdigest()}"')
            for name, svg in sorted(self.checkpoint.plots.items())
        }

    def check_fingerprint(self, pinned: str | None) -> None:
        """Raise FingerprintMismatchError unless it is `pinned`, or nothing is."""
        if pinned is not None and pinned != self.checkpoint.fingerprint:
            raise FingerprintMismatchError(self.id, self.checkpoint.fingerprint)

    def equals(self, other: "ServedModel") -> bool:
        """Whether another one, loaded from the same folder, is the same in every respect."""
        same = replace(other.checkpoint, model=self.model) == self.checkpoint  # by fingerprint
        beside = other.device, other.unsafe_words, other.safe
        return same and beside == (self.device, self.unsafe_words, self.safe)

    @property
    def model(self) -> LanguageModel:
        """The model itself."""
        return self.checkpoint.model

    @property
    def safe_by_default(self) -> bool:
        """Whether names of a request that does not say so are free of unsafe words."""
        return self.safe and self.checkpoint.vocabulary.ends

    def unsafe(self, safe: bool | None) -> WordList | None:
        """What the names of a request must be free of, whose `safe` is this; None: nothing."""
        return self.unsafe_words if (self.safe_by_default if safe is None else safe) else None

    def job(self, request: GenerationRequest) -> Job:
        """The work of a request; ParameterError where a value is out of this model's range."""
        checkpoint = self.checkpoint
        return Job(request, self.model, checkpoint.vocabulary, checkpoint.training_names)

    @property
    def longest_name(self) -> int:
        """The most characters a name, or an item of running text, of it can have."""
        return longest_name(self.model, self.checkpoint.vocabulary)

    @property
    def default_length(self) -> int:
        """The `max_length` of a request without."""
        return default_length(self.model, self.checkpoint.vocabulary)


@dataclass(frozen=True)
class Catalog:
    """All served models by id, and which of them is the default."""

    models: Mapping[str, ServedModel]
    default: str

    def find(
        self, model_id: str | None, parameter: str = "model", *, pinned: str | None = None
    ) -> ServedModel:
        """The model of this id, the default one for None.

        Args:
            model_id: its id.
            parameter: where that was asked for.
            pinned: the fingerprint that it must have; None: whatever it has.

        Raises:
            ModelNotFoundError: none is called so; it names `parameter`.
            FingerprintMismatchError: it has another fingerprint than `pinned`.
        """
        found = self.models.get(self.default if model_id is None else model_id)
        if found is None:
            raise ModelNotFoundError(parameter, tuple(self.models))
        found.check_fingerprint(pinned)
        return found


def load_catalog(
    settings: Settings, before: Catalog | None = None, device: str | None = None
) -> Catalog:
    """Load what the settings name.

    Args:
        settings: the service's.
        before: what was loaded earlier. All is read and verified again, but a model that has
            not changed is the same object.
        device: where to run them; None: as the settings say.

    Raises:
        StartupError: there is nothing to serve, or the default model or CUDA is missing.
        CheckpointError: a checkpoint is not in order; nothing is served then.
        WordListError: the list of unsafe words is not in order.
    """
    device = device or _device(settings.device)
    words = load_unsafe_words(settings.unsafe_words)
    known = before.models if before else {}
    loaded = {}
    for path in _folders(settings):
        served, old = _load(path, device, words, settings), known.get(path.name)
        loaded[path.name] = old if old is not None and old.equals(served) else served
    if settings.default_model not in loaded:
        raise StartupError(
            f"NAMEWRIGHT_DEFAULT_MODEL is {settings.default_model!r}; "
            f"loaded from {settings.checkpoints}: {', '.join(loaded) or 'nothing'}"
        )
    return Catalog(MappingProxyType(loaded), settings.default_model)


def load_one(settings: Settings, model_id: str | None) -> ServedModel:
    """Load one of the models that the settings name; None is the default one.

    Raises:
        ModelNotFoundError: none is called so.
        StartupError: the folder of checkpoints, or CUDA, is missing.
        CheckpointError: the checkpoint is not in order.
        WordListError: the list of unsafe words is not in order.
    """
    folders = {path.name: path for path in _folders(settings)}
    path = folders.get(settings.default_model if model_id is None else model_id)
    if path is None:
        raise ModelNotFoundError("model", tuple(folders))
    words = load_unsafe_words(settings.unsafe_words)
    return _load(path, _device(settings.device), words, settings)


def share_out(tree_bytes: int, models: Iterable[str], default: str | None) -> dict[str, int]:
    """Bytes for each model's tree: three quarters for the default one, if there are others."""
    names = list(models)
    others = [name for name in names if name != default]
    if len(others) == len(names):
        return {name: tree_bytes // len(names) for name in names}
    rest = tree_bytes // 4 if others else 0
    return {name: rest // len(others) for name in others} | {str(default): tree_bytes - rest}


def _folders(settings: Settings) -> list[Path]:
    """The checkpoint folders to load, by id."""
    wanted = [name.strip() for name in settings.models.split(",") if name.strip()]
    if wanted:
        return [settings.checkpoints / name for name in wanted]
    try:
        found = sorted(path for path in settings.checkpoints.iterdir() if path.is_dir())
    except OSError as error:
        raise StartupError(
            f"NAMEWRIGHT_CHECKPOINTS: {settings.checkpoints}: {error.strerror}"
        ) from error
    return [path for path in found if not path.name.startswith(".")]


def _load(path: Path, device: str, words: WordList, settings: Settings) -> ServedModel:
    checkpoint = load_checkpoint(path)
    checkpoint.model.to(device)
    return ServedModel(path.name, checkpoint, device, words, settings.safe)


def _device(wanted: str) -> str:
    available = torch.cuda.is_available()
    if wanted == "cuda" and not available:
        raise StartupError("NAMEWRIGHT_DEVICE is 'cuda', but torch finds no CUDA device")
    return "cpu" if wanted == "cpu" or not available else "cuda"

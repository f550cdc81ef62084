"""Where a model's characters lie: its embeddings in a plane.

Wider embeddings are turned so that the plane shows most of their variance
(principal components, by SVD). A model without embeddings has a row of
log-probabilities for each character, which says as much: what may follow it.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.base import LanguageModel
from models.checkpoint import Checkpoint
from models.vocabulary import BOUNDARY
from training.plots.characters import encode_items, is_vowel, most_frequent, symbol
from training.plots.svg import to_svg
from training.plots.theme import (
    MARGIN,
    TOP,
    color,
    drawing,
    key,
    new_axes,
    new_figure,
    subject,
    write,
)

_SHOWN = 150
_IMPOSSIBLE = -20.0
"""Stands for a log-probability of -inf."""
_GLYPH = 18.0
"""Pixels from one character to the next one, at the least."""


def draw_embeddings(checkpoint: Checkpoint, items: Sequence[str]) -> bytes:
    """Every character where its embedding lies; the 150 most frequent where there are more."""
    vocabulary = checkpoint.vocabulary
    shown = most_frequent(encode_items(items, vocabulary), _SHOWN)
    vectors, what = _vectors(checkpoint.model, shown)
    points, share = _plane(vectors)
    width = vectors.shape[1]
    if width > 2:
        what = f"The two main dimensions of {width}, with {share:.0%} of the variance, {what}"
    else:
        what = f"{width} dimension{'s' * (width > 1)} {what}"
    roles = [_role(token_id, checkpoint) for token_id in shown]
    title = "Character embeddings"
    if len(shown) < len(vocabulary) - (not vocabulary.ends):
        title += f": the {len(shown)} most frequent"
    names = {
        "second": "vowels",
        "first": "other characters",
        "muted": f"{symbol(BOUNDARY, vocabulary)} start and end",
    }
    with drawing():
        figure = new_figure(title, subject(checkpoint), 720, 660)
        write(figure, MARGIN, 80, what, role="muted")
        if "second" in roles:
            key(figure, [(names[role], role) for role in names if role in roles], y=104)
        axes = new_axes(figure, left=MARGIN, right=MARGIN, top=TOP + 40, bottom=MARGIN)
        axes.axis("off")
        box = axes.bbox
        axes.set(xlim=(0, box.width), ylim=(0, box.height))
        places = _keep_apart(_spread(points, box.width, box.height), box.width, box.height)
        for token_id, role, place in zip(shown, roles, places, strict=True):
            axes.text(
                place[0],
                place[1],
                symbol(token_id, vocabulary),
                color=color(role),
                fontsize=26 if symbol(token_id, vocabulary) == "." else 15,
                fontweight="normal" if role == "first" else "bold",
                ha="center",
                va="center",
            )
        return to_svg(
            figure,
            title,
            f"{len(shown)} characters in a plane; those that the model treats alike lie together, "
            "moved apart where one would cover another.",
        )


def _role(token_id: int, checkpoint: Checkpoint) -> str:
    if token_id == BOUNDARY:
        return "muted"
    return "second" if is_vowel(checkpoint.vocabulary.characters[token_id - 1]) else "first"


def _vectors(model: LanguageModel, token_ids: Sequence[int]) -> tuple[NDArray[np.float64], str]:
    """(N, C) numbers that stand for each character, and what they are."""
    chosen = torch.tensor(token_ids, device=model.device)
    if (weight := _embedding(model)) is not None:
        return weight[chosen].detach().cpu().double().numpy(), "of its embedding"
    training = model.training
    with torch.inference_mode():
        logits = model.eval()(chosen[:, None])[:, 0].double()  # (N, V)
    model.train(training)
    log_probs = logits.log_softmax(-1).nan_to_num(neginf=_IMPOSSIBLE)
    return log_probs.cpu().numpy(), "of the log-probabilities after them"


def _embedding(model: nn.Module) -> Tensor | None:
    """(V, C) of a model, or of the first member that has one."""
    embedding = getattr(model, "token_embedding", None)
    if isinstance(embedding, nn.Embedding):
        return embedding.weight
    members = getattr(model, "members", None)
    found = (_embedding(member) for member in members or ())
    return next((weight for weight in found if weight is not None), None)


def _plane(vectors: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """(N, 2) principal coordinates, and the share of the variance that they hold."""
    centred = vectors - vectors.mean(0)
    if centred.shape[1] <= 2:
        return np.pad(centred, ((0, 0), (0, 2 - centred.shape[1]))), 1.0
    left, scale, right = np.linalg.svd(centred, full_matrices=False)
    # The sign of a component is no one's choice: the largest of its weights is positive.
    signs = np.sign(right[np.arange(len(right)), np.abs(right).argmax(1)])
    coordinates = np.zeros((len(vectors), 2))
    coordinates[:, : min(2, len(scale))] = (left * scale * signs)[:, :2]
    total = float((scale**2).sum())
    return coordinates, float((scale[:2] ** 2).sum()) / total if total else 1.0


def _spread(points: NDArray[np.float64], width: float, height: float) -> NDArray[np.float64]:
    """Points as pixels that fill a rectangle."""
    low, extent = points.min(0), np.ptp(points, axis=0)
    inner = np.array([width, height]) - 2 * _GLYPH
    relative = np.divide(points - low, extent, out=np.full_like(points, 0.5), where=extent > 0)
    pixels: NDArray[np.float64] = _GLYPH + relative * inner
    return pixels


def _keep_apart(places: NDArray[np.float64], width: float, height: float) -> NDArray[np.float64]:
    """Places moved, as little as it takes, until no two characters lie on each other."""
    labels = places.copy()
    spread = np.arange(len(labels)) * 2.399963  # the golden angle: where two places are equal
    aside = np.stack([np.cos(spread), np.sin(spread)], -1)
    edge = np.array([width, height]) - _GLYPH / 2
    for _ in range(500):
        between = labels[:, None] - labels[None]  # (N, N, 2)
        distance = np.hypot(*np.moveaxis(between, -1, 0))
        np.fill_diagonal(distance, np.inf)
        if distance.min() >= _GLYPH * 0.98:
            break
        direction = np.where(
            distance[..., None] > 1e-9, between / np.maximum(distance, 1e-9)[..., None],
            aside[:, None] - aside[None],
        )  # fmt: skip
        push = np.clip(_GLYPH - distance, 0, None)[..., None] * direction / 2
        labels = np.clip(labels + push.sum(1) * 0.8, _GLYPH / 2, edge)
    return labels

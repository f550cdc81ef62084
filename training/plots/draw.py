"""All the pictures that apply to a checkpoint, by name."""

from collections.abc import Sequence

from models.checkpoint import Checkpoint
from training.plots.bigrams import draw_bigrams
from training.plots.curves import draw_learning_rate, draw_loss
from training.plots.embeddings import draw_embeddings
from training.plots.evaluation import draw_nll
from training.plots.samples import draw_samples


def draw_plots(checkpoint: Checkpoint, items: Sequence[str]) -> dict[str, bytes]:
    """Draw a checkpoint's pictures.

    Args:
        checkpoint: its model in any dtype, mode and place; none of them changes.
        items: the corpus it was fitted on: its names, or one running text.

    Returns:
        Name to SVG: `bigrams`, `embeddings` and `lengths` always; `loss` and
        `learning-rate` where it was fitted by descent, `nll` where it was evaluated.

    Raises:
        UnknownCharacterError: the corpus has a character that the model's alphabet lacks.
        ValueError: there is no corpus.
    """
    if not any(items):
        raise ValueError("there is no corpus to draw")
    drawn = {
        "bigrams": draw_bigrams(checkpoint, items),
        "embeddings": draw_embeddings(checkpoint, items),
        "learning-rate": draw_learning_rate(checkpoint),
        "lengths": draw_samples(checkpoint, items),
        "loss": draw_loss(checkpoint),
        "nll": draw_nll(checkpoint),
    }
    return {name: svg for name, svg in drawn.items() if svg is not None}

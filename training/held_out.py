"""Names that were held out of a fit, scored as the service does (see models/held_out.py)."""

from models.checkpoint import Checkpoint
from models.held_out import MOST_NAMES, HeldOut
from models.scoring import score
from training.corpus import SPLITS, Corpus

PARTS = ("dev", "test")


def measure_held_out(checkpoint: Checkpoint, corpus: Corpus) -> HeldOut | None:
    """What percentiles of a model's scores are told against.

    They are the distinct names of dev and test, of the split that it was fitted on, that are
    not among its training names; the first MOST_NAMES, test's before dev's. From a model that
    was fitted on the whole corpus nothing was held out: it gets the distinct names of dev and
    test of makemore's split, marked as seen.

    Args:
        checkpoint: as loaded.
        corpus: the one that it was fitted on.

    Returns:
        None for a model of running text, or where no name was held out.
    """
    if not checkpoint.vocabulary.ends:
        return None
    fitted_on = str(checkpoint.metadata.training.get("fitted_on"))
    seen = fitted_on not in SPLITS
    (split,) = corpus.split([SPLITS[0] if seen else fitted_on])
    trained_on = frozenset() if seen else checkpoint.training_names
    distinct = dict.fromkeys((*split.test, *split.dev))
    names = [name for name in distinct if name not in trained_on][:MOST_NAMES]
    if not names:
        return None
    scores = score(checkpoint.model, checkpoint.vocabulary, names)
    scored = [(len(found.word), found.nll_per_char) for found in scores]
    return HeldOut.of(split.name, PARTS, seen, scored)

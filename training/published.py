"""What others have published, to hold our figures against, and where each idea is from."""

from dataclasses import dataclass

MAKEMORE = "https://github.com/karpathy/makemore"
LECTURES = "https://github.com/karpathy/nn-zero-to-hero"

PAPERS = {
    "bigram": ("lecture 2", LECTURES),
    "neural-bigram": ("lecture 2", LECTURES),
    "mlp": ("Bengio et al. 2003", "https://www.jmlr.org/papers/v3/bengio03a.html"),
    "bow": ("makemore", MAKEMORE),
    "rnn": (
        "Mikolov et al. 2010",
        "https://www.isca-archive.org/interspeech_2010/mikolov10_interspeech.html",
    ),
    "gru": ("Cho et al. 2014", "https://arxiv.org/abs/1409.1259"),
    "lstm": ("Graves 2013", "https://arxiv.org/abs/1308.0850"),
    "cnn": ("van den Oord et al. 2016", "https://arxiv.org/abs/1609.03499"),
    "transformer": ("Vaswani et al. 2017", "https://arxiv.org/abs/1706.03762"),
    "ngram": ("Kneser and Ney 1995", "https://doi.org/10.1109/ICASSP.1995.479394"),
    "mixture": ("Lakshminarayanan et al. 2017", "https://arxiv.org/abs/1612.01474"),
}
"""By architecture: the paper, and its address."""


@dataclass(frozen=True)
class Figure:
    """An NLL of names.txt that someone else has stated or that their code gives.

    Attributes:
        split, part: of which names; see training/corpus.py.
        nll: nats per character.
        source: one of SOURCES.
    """

    split: str
    part: str
    nll: float
    source: str


SOURCES = {
    "makemore's code": f"[makemore]({MAKEMORE})'s own code with its defaults and seed 3407, run "
    "by us; the best of the whole run, chosen on test itself, which flatters",
    "makemore's README": f"the README of [makemore]({MAKEMORE}); it did not come back when we "
    "ran its code",
    "lectures": f"[Karpathy's lectures]({LECTURES})",
}

FIGURES: dict[str, tuple[Figure, ...]] = {
    "bigram": (
        Figure("makemore", "test", 2.4505, "makemore's code"),
        Figure("whole", "train", 2.4546, "lectures"),
    ),
    "neural-bigram": (Figure("makemore", "test", 2.4505, "makemore's code"),),
    "bow": (Figure("makemore", "test", 2.1302, "makemore's code"),),
    "rnn": (Figure("makemore", "test", 2.0333, "makemore's code"),),
    "mlp": (Figure("makemore", "test", 2.0277, "makemore's code"),),
    "gru": (Figure("makemore", "test", 1.9731, "makemore's code"),),
    "transformer": (
        Figure("makemore", "test", 1.9655, "makemore's code"),
        Figure("makemore", "test", 1.92, "makemore's README"),
    ),
    "mlp-lecture": (
        Figure("lecture", "train", 2.126, "lectures"),
        Figure("lecture", "dev", 2.170, "lectures"),
    ),
    "cnn": (
        Figure("lecture", "train", 1.769, "lectures"),
        Figure("lecture", "dev", 1.994, "lectures"),
    ),
}
"""By recipe. makemore's bigram is a table fitted by gradient descent, so both bigrams have it."""

LECTURE_LOSSES = {100: 2.4900, 200: 2.4830}
"""Lecture 2's neural bigram: its loss, penalty included, after so many steps."""
COUNTED = 2.4540
"""Lecture 2's counts without smoothing, NLL over the whole of names.txt."""

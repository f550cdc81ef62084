"""A corpus of running text: read strictly, cut in two, learned in chunks.

The first nine tenths are for training, the last tenth is held out; it serves as
dev, on which a step is chosen. A chunk is block_size characters from anywhere;
what the model reads first is the boundary, which here means that nothing is
known of what came before. It is never predicted.

Source: Karpathy, "Let's build GPT: from scratch, in code, spelled out", whose
chunks these are (its notes learn from Korean). Deviations: there a chunk's first
character is given; here it is predicted too, from the boundary, so that sampling
can start from nothing.

Every character of the corpus is in the vocabulary, those too rare to learn as
well: what they cost is part of the NLL, and any text of the corpus can be scored.
"""

import hashlib
import unicodedata
from pathlib import Path

import torch
from torch import Tensor

from models.vocabulary import BOUNDARY, Vocabulary, normalize
from training.corpus import IGNORED, Corpus, CorpusError, decode_file

MIN_CHARACTERS = 1000
"""Fewer leave nothing to learn."""


def read_text(path: Path) -> Corpus:
    """Read a UTF-8 file of running text; lines end in LF, CRLF or CR.

    Raises:
        CorpusError: it cannot be read, is not UTF-8, holds control characters other
            than newline and tab, or is shorter than MIN_CHARACTERS.
    """
    data, decoded = decode_file(path)
    text = normalize(decoded).strip("\n")
    for character in set(text) - {"\n", "\t"}:
        if unicodedata.category(character) == "Cc":
            raise CorpusError(f"{path}: holds U+{ord(character):04X}: not a text")
    if len(text) < MIN_CHARACTERS:
        raise CorpusError(
            f"{path}: {len(text)} characters; at least {MIN_CHARACTERS} are needed to learn from"
        )
    return Corpus(path.name, (text,), hashlib.sha256(data).hexdigest(), len(data), "text")


def with_boundaries(chunks: Tensor) -> Tensor:
    """(N, T) targets to their (N, T) inputs: a boundary, then all but the last."""
    shifted = torch.nn.functional.pad(chunks[:, :-1], (1, 0), value=BOUNDARY)
    return shifted.clamp(min=BOUNDARY)  # what is padding among the targets


def encode_text(text: str, vocabulary: Vocabulary, block_size: int) -> tuple[Tensor, Tensor]:
    """All of a text in chunks side by side, each character a target once.

    Returns:
        inputs: (N, block_size) int64, each row a boundary and what comes before.
        targets: (N, block_size) int64; the last row is padded with IGNORED.
    """
    token_ids = torch.tensor(vocabulary.encode(text))
    padding = -len(token_ids) % block_size
    targets = torch.nn.functional.pad(token_ids, (0, padding), value=IGNORED)
    targets = targets.view(-1, block_size)
    return with_boundaries(targets), targets

"""Where the corpora come from.

In this order: a path that was given, the folder NAMEWRIGHT_DATA, or, for names.txt,
a download from makemore's public repository, its sha256 checked, kept in the user's
cache. The Korean text was cut from two treebanks, so it is not to be downloaded.
"""

import os
from pathlib import Path

import pooch
import requests

from models.checkpoint import Checkpoint
from training.corpus import Corpus, CorpusError, read_corpus
from training.text import read_text

NAMES_URL = "https://raw.githubusercontent.com/karpathy/makemore/master/names.txt"
NAMES_SHA256 = "0a30b5557f192f32ab962680889aac5f6fda0f4cecf40a6d0b5694f58ea8cc4d"
NAMES_SOURCE = "karpathy/makemore, from US Social Security Administration data, 2018"
NAMES_LICENCE = "MIT (repository); the names are public-domain US government data"

KOREAN_SHA256 = "99241dcc43ca719e1b93a3c6333e379e7dd62aafc146f53d92cad83e49e9de44"
KOREAN_SOURCE = "Universal Dependencies, UD_Korean-Kaist and UD_Korean-GSD (dev and test parts)"
KOREAN_LICENCE = "CC BY-SA 4.0"

KNOWN = {
    NAMES_SHA256: {"source": NAMES_SOURCE, "licence": NAMES_LICENCE},
    KOREAN_SHA256: {"source": KOREAN_SOURCE, "licence": KOREAN_LICENCE},
}
"""Where a corpus of this sha256 comes from, for the record of what was fitted on it."""


def find_corpus(kind: str, path: Path | None = None) -> Corpus:
    """Read the corpus of a kind: the file given, or else the one there is.

    Args:
        kind: `lines` or `text`.
        path: the caller's own file.

    Raises:
        CorpusError: it is not to be found, or no model can be fitted on it.
    """
    return read_text(find_text(path)) if kind == "text" else read_corpus(find_names(path))


def find_corpus_of(checkpoint: Checkpoint, path: Path | None = None) -> Corpus:
    """The corpus that a checkpoint was fitted on, found as above.

    Raises:
        CorpusError: it is not to be found, or is another one.
    """
    corpus = find_corpus(checkpoint.kind, path)
    fitted_on = checkpoint.metadata.corpus.get("sha256")
    if fitted_on not in (None, corpus.sha256):
        raise CorpusError(
            f"{corpus.name}: its sha256 is {corpus.sha256}; the checkpoint was fitted on "
            f"{checkpoint.metadata.corpus.get('name')} of sha256 {fitted_on}. "
            "Give that file with --data"
        )
    return corpus


def find_names(path: Path | None = None, *, url: str = NAMES_URL) -> Path:
    """The names to train on.

    Args:
        path: the caller's own file, taken as it is.
        url: where names.txt is downloaded from if it is nowhere else.

    Raises:
        CorpusError: NAMEWRIGHT_DATA lacks it, or the download failed or had another
            sha256; nothing is left in the cache then.
    """
    if path is not None:
        return path
    if os.environ.get("NAMEWRIGHT_DATA"):
        return _in_data("names.txt")
    cache = Path(os.environ.get("NAMEWRIGHT_CACHE") or pooch.os_cache("namewright"))
    try:
        return Path(pooch.retrieve(url, NAMES_SHA256, fname="names.txt", path=cache))
    except (requests.RequestException, OSError, ValueError) as error:
        raise CorpusError(
            f"{url}: {error}. Give a file with --data, or a folder in NAMEWRIGHT_DATA"
        ) from error


def find_text(path: Path | None = None) -> Path:
    """The running text to train on.

    Raises:
        CorpusError: none was given, and NAMEWRIGHT_DATA lacks korean.txt or is not set.
    """
    if path is not None:
        return path
    if not os.environ.get("NAMEWRIGHT_DATA"):
        raise CorpusError("running text: give a file with --data, or korean.txt in NAMEWRIGHT_DATA")
    return _in_data("korean.txt")


def _in_data(name: str) -> Path:
    found = Path(os.environ["NAMEWRIGHT_DATA"]) / name
    if not found.is_file():
        raise CorpusError(f"{found}: no such file; NAMEWRIGHT_DATA must hold {name}")
    return found

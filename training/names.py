"""Where names.txt comes from.

In this order: a path that was given, the folder NAMEWRIGHT_DATA, or a download
from makemore's public repository, its sha256 checked, kept in the user's cache.
"""

import os
from pathlib import Path

import pooch
import requests

from training.corpus import CorpusError

NAMES_URL = "https://raw.githubusercontent.com/karpathy/makemore/master/names.txt"
NAMES_SHA256 = "0a30b5557f192f32ab962680889aac5f6fda0f4cecf40a6d0b5694f58ea8cc4d"
NAMES_SOURCE = "karpathy/makemore, from US Social Security Administration data, 2018"
NAMES_LICENCE = "MIT (repository); the names are public-domain US government data"


def find_names(path: Path | None = None, *, url: str = NAMES_URL) -> Path:
    """The file to train on.

    Args:
        path: the caller's own file, taken as it is.
        url: where names.txt is downloaded from if it is nowhere else.

    Raises:
        CorpusError: NAMEWRIGHT_DATA lacks it, or the download failed or had another
            sha256; nothing is left in the cache then.
    """
    if path is not None:
        return path
    if folder := os.environ.get("NAMEWRIGHT_DATA"):
        found = Path(folder) / "names.txt"
        if not found.is_file():
            raise CorpusError(f"{found}: no such file; NAMEWRIGHT_DATA must hold names.txt")
        return found
    cache = Path(os.environ.get("NAMEWRIGHT_CACHE") or pooch.os_cache("namewright"))
    try:
        return Path(pooch.retrieve(url, NAMES_SHA256, fname="names.txt", path=cache))
    except (requests.RequestException, OSError, ValueError) as error:
        raise CorpusError(
            f"{url}: {error}. Give a file with --data, or a folder in NAMEWRIGHT_DATA"
        ) from error

"""The list of words that `safe` leaves out: the bundled one, or the operator's."""

from pathlib import Path

from models.errors import WordListError
from models.word_list import WordList

BUNDLED = Path(__file__).parent / "unsafe_words.txt"
MAX_BYTES = 1 << 20
"""Of a file: tens of thousands of words. Every name is held against each with two stars."""


def load_unsafe_words(setting: str) -> WordList:
    """The list in a file.

    Args:
        setting: NAMEWRIGHT_UNSAFE_WORDS, its path; empty: the bundled list.

    Raises:
        WordListError: it cannot be read, is too large or not UTF-8, or an entry is malformed;
            with the line of what is wrong.
    """
    path = Path(setting) if setting else BUNDLED
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise WordListError(_source(path), None, f"cannot be read: {error.strerror}") from error
    if len(data) > MAX_BYTES:
        raise WordListError(_source(path), None, f"is too large; allowed: {MAX_BYTES} bytes")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise WordListError(_source(path), line, "is not UTF-8") from error
    return WordList.parse(text, _source(path))


def _source(path: Path) -> str:
    return f"NAMEWRIGHT_UNSAFE_WORDS: {path}"

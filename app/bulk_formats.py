"""How names in bulk are written: each format turns them into bytes, some at a time.

Those of the service end with why no more names come, and where to go on.
"""

import csv
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from app.bulk import End
from app.encoding import encode
from app.schemas import finite
from models.errors import ParameterError
from models.randomness import SEED_LIMIT
from models.request import GeneratedName

NO_MORE = "end"
"""The id of an event after which nothing comes."""
_RETRY_MS = 1000
"""Before an EventSource that was cut off connects again."""
_FORMULA = re.compile(r"'*[=+\-@\t\r\n＝＋－＠]")
"""OWASP's list, with its full-width forms, behind any apostrophes."""


class Format(ABC):
    """Names as bytes of one media type."""

    media_type: str

    def begin(self, about: Mapping[str, Any]) -> bytes:
        """What comes before the first name; `about` is the request as applied."""
        del about
        return b""

    @abstractmethod
    def names(self, names: Sequence[GeneratedName], sent: int) -> bytes:
        """Some names, where `sent` others came before."""

    def end(self, about: Mapping[str, Any]) -> bytes:
        """What comes after the last name; `about` has `end`, `next_offset` and more."""
        del about
        return b""


class JsonLines(Format):
    """A JSON object a line: names, and last the end.

    Args:
        scores: with each name's NLL.
    """

    media_type = "application/jsonl"

    def __init__(self, scores: bool) -> None:
        self._scores = scores

    def names(self, names: Sequence[GeneratedName], sent: int) -> bytes:
        """A line each."""
        del sent
        return "".join(f"{line}\n" for line in _objects(names, self._scores)).encode()

    def end(self, about: Mapping[str, Any]) -> bytes:
        """The one line that has no `name`."""
        return f"{encode(about)}\n".encode()


class ServerSentEvents(Format):
    """What a browser's EventSource reads: `start`, a message a name, `end`.

    The id of a message says all that is needed to go on after it, the seed too where
    the server drew it: EventSource sends the last one back when it connects again.

    Args:
        scores: with each name's NLL.
        seed: of the stream.

    Source: https://html.spec.whatwg.org/multipage/server-sent-events.html
    """

    media_type = "text/event-stream"

    def __init__(self, scores: bool, seed: int) -> None:
        self._scores = scores
        self._seed = seed

    def begin(self, about: Mapping[str, Any]) -> bytes:
        """When to connect again, and the `start` event."""
        return f"retry: {_RETRY_MS}\nevent: start\ndata: {encode(about)}\n\n".encode()

    def names(self, names: Sequence[GeneratedName], sent: int) -> bytes:
        """A message each."""
        lines = zip(names, _objects(names, self._scores), strict=True)
        return "".join(
            f"id: {self._seed}-{drawn.index}-{count}\ndata: {line}\n\n"
            for count, (drawn, line) in enumerate(lines, sent + 1)
        ).encode()

    def end(self, about: Mapping[str, Any]) -> bytes:
        """The `end` event; where the stream is over, its id keeps EventSource from coming back."""
        over = about["end"] in (End.COMPLETE, End.EXHAUSTED)
        mark = f"id: {NO_MORE}\n" if over else ""
        return f"{mark}event: end\ndata: {encode(about)}\n\n".encode()


class Text(Format):
    """A name a line, and nothing else."""

    media_type = "text/plain"

    def names(self, names: Sequence[GeneratedName], sent: int) -> bytes:
        """A line each; a name of running text may hold newlines itself."""
        del sent
        return "".join(f"{drawn.name}\n" for drawn in names).encode()


class Csv(Format):
    """Comma-separated values (RFC 4180, but for the bare newlines) with a line of titles.

    A name that a spreadsheet would take for a formula begins with an apostrophe more, and so
    does one that would look as if it had been given that: taking one off gives it back.

    Args:
        scores: with each name's NLL, empty where infinite.

    Source: https://owasp.org/www-community/attacks/CSV_Injection
    """

    media_type = "text/csv; header=present"

    def __init__(self, scores: bool) -> None:
        self._titles = ("name", "index", "nll") if scores else ("name", "index")

    def begin(self, about: Mapping[str, Any]) -> bytes:
        """The titles."""
        del about
        return self._rows([self._titles])

    def names(self, names: Sequence[GeneratedName], sent: int) -> bytes:
        """A row each."""
        del sent
        columns = len(self._titles)
        return self._rows(
            (_harmless(drawn.name), drawn.index, finite(drawn.nll))[:columns] for drawn in names
        )

    def _rows(self, rows: Iterable[Sequence[object]]) -> bytes:
        written = _Rows()
        csv.writer(written).writerows(rows)
        return "".join(written.rows).encode()


class _Rows:
    """Takes rows of csv.writer, which quotes CR and LF only where it ends lines with both."""

    def __init__(self) -> None:
        self.rows: list[str] = []

    def write(self, row: str) -> None:
        """Keep a row, ended by a bare newline."""
        self.rows.append(row.removesuffix("\r\n") + "\n")


def read_event_id(text: str) -> tuple[int, int, int]:
    """(seed, index, names up to it) of a message's id.

    Raises:
        ParameterError: it is none.
    """
    if re.fullmatch(r"[0-9]{1,20}-[0-9]{1,16}-[0-9]{1,16}", text):
        seed, index, sent = (int(part) for part in text.split("-"))
        if seed < SEED_LIMIT:
            return seed, index, sent
    raise ParameterError("Last-Event-ID", "is not the id of an event of this service")


def _harmless(name: str) -> str:
    """`name`, behind an apostrophe where a spreadsheet might compute it."""
    return f"'{name}" if _FORMULA.match(name) else name


def _objects(names: Iterable[GeneratedName], scores: bool) -> Iterable[str]:
    """The JSON of each name."""
    if scores:
        return (
            encode({"name": drawn.name, "index": drawn.index, "nll": finite(drawn.nll)})
            for drawn in names
        )
    return (encode({"name": drawn.name, "index": drawn.index}) for drawn in names)

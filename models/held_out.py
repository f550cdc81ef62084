"""Names that were held out of a fit: how plausible a model finds them, length by length.

A word's percentile is told against these: the share of held-out names that are less plausible
than it is, by NLL per character (nats, the end included), those that tie counted half.

The file, held_out.json, is a line:

    {"split":"makemore","parts":["dev","test"],"seen":false,
     "names":{"4":142,…},"nlls":{"4":[1850,186,…],…}}

Of each length it says how many names there are, and their NLLs in thousandths of a nat,
ascending, each but the first as what it adds to the one before. Of QUANTILES names or fewer
all are there; of more, QUANTILES quantiles at even steps from the least to the greatest, and
the others are taken to lie evenly in between. A percentile can so be a step, 5, away from that
among the very names; with the bundled models 1,060 words were 0.5 away on average, 3.2 at most.
"""

import json
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate, pairwise
from typing import Any

import numpy as np

from models.storage import parse_json, require_keys

QUANTILES = 21
"""Of a length, at most: every 5 %."""
LIKE_LENGTH = 100
"""Names that those of like length are to be, at least."""
MOST_NAMES = 10_000
"""Of all lengths together; more would tell no more."""

_UNIT = 1000  # to the nat
_MOST = 1000 * _UNIT
_KEYS = ("split", "parts", "seen", "names", "nlls")


@dataclass(frozen=True)
class Percentiles:
    """Shares of held-out names that are less plausible than a word, 0 to 100.

    Attributes:
        overall: of all names.
        like_length: of those of its length, and of as many lengths above and below as it takes
            for LIKE_LENGTH names.
    """

    overall: float
    like_length: float


@dataclass(frozen=True)
class HeldOut:
    """The held-out names that percentiles are told against.

    Attributes:
        split: the one that they are parts of.
        parts: those parts, as `dev` and `test`.
        seen: whether the model was fitted on them all the same, because it was on everything.
        names: how many there are, by length in characters.
        nlls: of each such length min(names, QUANTILES) quantiles of NLLs per character,
            ascending, thousandths of a nat.
    """

    split: str
    parts: tuple[str, ...]
    seen: bool
    names: Mapping[int, int]
    nlls: Mapping[int, tuple[int, ...]]
    _pooled: dict[tuple[int, ...], tuple[float, ...]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @classmethod
    def of(
        cls, split: str, parts: Sequence[str], seen: bool, scored: Iterable[tuple[int, float]]
    ) -> "HeldOut":
        """From each name's length and its NLL per character in nats; the rest as above.

        Raises:
            ValueError: there are none, more than MOST_NAMES, or an NLL is infinite.
        """
        by_length: dict[int, list[float]] = defaultdict(list)
        for length, nll in scored:
            by_length[length].append(nll)
        nlls = {length: _quantiles(by_length[length]) for length in sorted(by_length)}
        names = {length: len(by_length[length]) for length in nlls}
        found = cls(split, tuple(parts), seen, names, nlls)
        _check(found)
        return found

    def percentiles(self, length: int, nll_per_char: float) -> Percentiles:
        """Of a word of `length` characters, by its NLL per character in nats, inf included."""
        return Percentiles(
            _share_above(self._pool(tuple(self.names)), nll_per_char),
            _share_above(self._pool(self.like_lengths(length)), nll_per_char),
        )

    def like_lengths(self, length: int) -> tuple[int, ...]:
        """The lengths of the names that a word of `length` characters is compared with."""
        furthest = max(abs(length - other) for other in self.names)
        for reach in range(furthest):
            near = tuple(other for other in self.names if abs(length - other) <= reach)
            if sum(self.names[other] for other in near) >= LIKE_LENGTH:
                return near
        return tuple(self.names)

    def _pool(self, lengths: tuple[int, ...]) -> tuple[float, ...]:
        """The NLLs per character of all names of some lengths, ascending, nats."""
        if lengths not in self._pooled:
            pooled = (nll for length in lengths for nll in self._nats[length])
            self._pooled[lengths] = tuple(sorted(pooled))
        return self._pooled[lengths]

    @cached_property
    def _nats(self) -> dict[int, list[float]]:
        """By length, an NLL a name."""
        return {length: _spread(self.nlls[length], count) for length, count in self.names.items()}


def held_out_to_json(held_out: HeldOut) -> bytes:
    """The file; as short as it can be read."""
    steps = {
        length: [nlls[0], *(after - before for before, after in pairwise(nlls))]
        for length, nlls in held_out.nlls.items()
    }
    value = {
        "split": held_out.split,
        "parts": held_out.parts,
        "seen": held_out.seen,
        "names": held_out.names,
        "nlls": steps,
    }
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def held_out_from_json(data: bytes) -> HeldOut:
    """The inverse of `held_out_to_json`.

    Raises:
        ValueError, TypeError, AttributeError: it is not a file of ours.
    """
    value = parse_json(data)
    require_keys(value, _KEYS)
    names = _by_length(value["names"])
    steps = _by_length(value["nlls"])
    if type(value["parts"]) is not list or any(type(some) is not list for some in steps.values()):
        raise ValueError("parts and nlls are lists")
    if any(
        type(one) is not int or not 0 <= one <= _MOST for some in steps.values() for one in some
    ):
        raise ValueError(f"nlls are whole numbers from 0 to {_MOST}")
    nlls = {length: tuple(accumulate(some)) for length, some in steps.items()}
    found = HeldOut(value["split"], tuple(value["parts"]), value["seen"], names, nlls)
    _check(found)
    return found


def _by_length(table: Mapping[str, Any]) -> dict[int, Any]:
    """A table of JSON by length, each written in the one way there is."""
    if odd := [key for key in table if not (key.isdecimal() and str(int(key)) == key != "0")]:
        raise ValueError(f"not a length: {odd[0]!r}")
    return {int(key): value for key, value in table.items()}


def _check(held_out: HeldOut) -> None:
    """Raise ValueError unless all is in order."""
    texts = [held_out.split, *held_out.parts]
    if not (held_out.parts and all(type(text) is str and text for text in texts)):
        raise ValueError("split and parts are names")
    if type(held_out.seen) is not bool:
        raise ValueError("seen is true or false")
    counts = held_out.names.values()
    if not all(type(count) is int and count > 0 for count in counts):
        raise ValueError("names are whole numbers from 1")
    if not 1 <= sum(counts) <= MOST_NAMES:
        raise ValueError(f"{sum(counts)} names; allowed: 1 to {MOST_NAMES}")
    if list(held_out.nlls) != list(held_out.names) or sorted(held_out.names) != list(held_out.nlls):
        raise ValueError("names and nlls are of the same lengths, ascending")
    for length, nlls in held_out.nlls.items():
        if len(nlls) != min(held_out.names[length], QUANTILES):
            raise ValueError(f"{len(nlls)} nlls of {held_out.names[length]} names of {length}")


def _quantiles(nlls: Sequence[float]) -> tuple[int, ...]:
    """Of NLLs in nats, min(len(nlls), QUANTILES) quantiles in thousandths."""
    if not np.isfinite(nlls).all():
        raise ValueError("a held-out name that the model holds impossible has no place")
    steps = np.linspace(0, 1, min(len(nlls), QUANTILES))
    found: list[int] = np.rint(np.quantile(nlls, steps) * _UNIT).astype(int).tolist()
    return tuple(found)


def _spread(nlls: Sequence[int], count: int) -> list[float]:
    """`count` NLLs in nats that have these quantiles; `nlls` themselves if they are as many."""
    places = np.linspace(0, count - 1, len(nlls))
    spread: list[float] = (np.interp(np.arange(count), places, nlls) / _UNIT).tolist()
    return spread


def _share_above(ascending: Sequence[float], value: float) -> float:
    """Percent of the values that are above `value`, those that are equal counted half."""
    first, last = bisect_left(ascending, value), bisect_right(ascending, value)
    return 100 * (len(ascending) - (first + last) / 2) / len(ascending)

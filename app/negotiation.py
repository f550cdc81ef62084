"""What a caller would rather have: Accept, Accept-Encoding and their weights.

Source: RFC 9110, sections 12.4.2, 12.5.1 and 12.5.3.
Deviations: parameters of media ranges are passed over, so `text/csv;header=absent` is
`text/csv`; an item that is not in order counts for nothing.
"""

import re
from functools import lru_cache

_WEIGHT = re.compile(r"0(\.[0-9]{0,3})?|1(\.0{0,3})?")
_LIMIT = 4096
"""Characters of a header that are read; callers send a few hundred."""


def best_media_type(accept: str, offered: tuple[str, ...]) -> str | None:
    """The media type that an Accept header likes best, the first of equals; None: it takes none.

    Args:
        accept: the header's value; empty takes anything, more than 4096 characters nothing.
        offered: bare media types in lower case, the server's own favourite first.
    """
    return _best(accept, offered) if len(accept) <= _LIMIT else None


def accepts_encoding(header: str, encoding: str) -> bool:
    """Whether an Accept-Encoding header names `encoding`, or all, with a weight above 0."""
    weights = _weights(header[:_LIMIT])
    return weights.get(encoding, weights.get("*", 0)) > 0


@lru_cache(maxsize=256)
def _best(accept: str, offered: tuple[str, ...]) -> str | None:
    if not accept.strip():
        return offered[0]
    weights = _weights(accept)
    liked = max(offered, key=lambda media_type: _liking(media_type, weights))
    return liked if _liking(liked, weights) else None


def _liking(media_type: str, weights: dict[str, float]) -> float:
    """The weight of the most specific range that has `media_type` in it."""
    ranges = (media_type, media_type.partition("/")[0] + "/*", "*/*")
    return next((weights[each] for each in ranges if each in weights), 0)


def _weights(header: str) -> dict[str, float]:
    """By item; the highest, where one comes more than once with other parameters."""
    weights: dict[str, float] = {}
    for item in header.lower().split(","):
        name, *parameters = (part.strip(" \t") for part in item.split(";"))
        weight = next((each[2:] for each in parameters if each.startswith("q=")), "1")
        if _WEIGHT.fullmatch(weight):
            weights[name] = max(float(weight), weights.get(name, 0))
    return weights

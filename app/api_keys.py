"""The keys that open the service, of which it knows only hashes.

A key is 256 random bits (`python -m app key`), so a plain SHA-256 hides it: there is nothing to
guess that slow hashing would protect, as it protects passwords.
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

MOST_KEYS = 1000
"""In the setting, and in the file: each is compared for every request."""
_ENTRY = re.compile(r"(?:(?P<name>[A-Za-z0-9._@-]{1,64})=)?sha256:(?P<digest>[0-9A-Fa-f]{64})")


@dataclass(frozen=True)
class ApiKey:
    """A key by its hash.

    Attributes:
        name: whose it is, for the log; empty if it has none.
        digest: the SHA-256 of its bytes.
    """

    name: str
    digest: bytes


def hash_key(key: bytes) -> bytes:
    """The digest by which a key is known."""
    return hashlib.sha256(key).digest()


def parse_keys(text: str) -> tuple[ApiKey, ...]:
    """The keys of `sha256:<64 hex digits>` or `name=sha256:…`, separated by commas.

    Raises:
        ValueError: an entry is anything else; says which one, never what it holds.
    """
    entries = enumerate(text.split(","), 1) if text else ()
    return _parse(("entry", number, entry.strip()) for number, entry in entries)


def parse_file(text: str) -> tuple[ApiKey, ...]:
    """The same, one a line; empty lines and those that begin with # say nothing.

    Raises:
        ValueError: a line is anything else, or there is no key; never says what a line holds.
    """
    lines = ((number, line.strip()) for number, line in enumerate(text.split("\n"), 1))
    said = (("line", number, line) for number, line in lines if line and line[0] != "#")
    keys = _parse(said)
    if not keys:  # empty, or half written
        raise ValueError("holds no key")
    return keys


def _parse(entries: Iterable[tuple[str, int, str]]) -> tuple[ApiKey, ...]:
    keys = tuple(_parse_one(*entry) for entry in entries)
    if len(keys) > MOST_KEYS:
        raise ValueError(f"has {len(keys)} keys; allowed: {MOST_KEYS}")
    return keys


def _parse_one(what: str, number: int, entry: str) -> ApiKey:
    found = _ENTRY.fullmatch(entry)
    if not found:
        raise ValueError(
            f"{what} {number} is not sha256:<64 hex digits>, with or without name= before it; "
            "a key itself has no place there: python -m app key makes one and its hash"
        )
    return ApiKey(found["name"] or "", bytes.fromhex(found["digest"]))

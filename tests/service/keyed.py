"""Keys for a service under test, and what they are in its settings."""

from pathlib import Path

from app.api_keys import hash_key

ALICE, BOB = "nw_alice-s", "nw_bob-s"
ORIGIN = "https://names.example"
ALONE = {"MODELS": "bigram", "DEFAULT_MODEL": "bigram"}


def entry(key: str, name: str = "") -> str:
    """The entry of a key, with its name or without one."""
    return f"{name}{'=' if name else ''}sha256:{hash_key(key.encode()).hex()}"


def bearer(key: str) -> dict[str, str]:
    """The header that gives a key."""
    return {"Authorization": f"Bearer {key}"}


def replace(path: Path, *keys: str) -> None:
    """Make a file that of other keys, at once, as operators should."""
    written = path.with_suffix(".new")
    written.write_text("\n".join(map(entry, keys)))
    written.replace(path)

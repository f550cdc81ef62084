"""Keys, each of which stands for one name.

A key is hashed into the seed of a stream of its own, and the stream's first name is the
key's. A text seed is hashed too: what is hashed here begins with a text and a NUL, which
no seed may hold, so a key and a seed of the same text are different streams.
"""

import hashlib

from models.errors import ParameterError
from models.vocabulary import normalize, normalized_length

KEY_LIMIT = 256
DOMAIN = b"namewright /names\0"


def seed_from_key(key: str) -> int:
    """The seed that a key stands for.

    It is the first 8 bytes, little-endian, of the SHA-256 of DOMAIN and the key's NFC form
    in UTF-8; a key of digits is hashed like any other.

    Args:
        key: 1 to 256 characters in NFC.

    Returns:
        0 to 2**64 - 1.

    Raises:
        ParameterError: it is empty, or too long.
    """
    length = normalized_length(key, KEY_LIMIT)
    if not 1 <= length <= KEY_LIMIT:
        raise ParameterError("key", f"has {length} characters; allowed: 1 to {KEY_LIMIT}")
    digest = hashlib.sha256(DOMAIN + normalize(key).encode()).digest()
    return int.from_bytes(digest[:8], "little")

"""Random numbers without state: the uniform for a character is a hash of where it stands.

The uniform for character t of name i in the stream of a seed is a pure function
of (seed, i, t), so any name can be drawn alone, in any order, beside any others.

Source: Philox4x32-10, Salmon et al. 2011, "Parallel random numbers: as easy as
1, 2, 3", https://doi.org/10.1145/2063384.2063405; its published known answers
are in tests/models/test_randomness.py. torch has no stateless generator on the
CPU, and numpy's Philox is a stateful stream, hence this one.

Layout: the key is the seed; the counter is (i low, i high, t // 2, 0); the four
32-bit words give two uniforms of 53 bits, for even and odd t.
"""

import hashlib
import re
import secrets
import unicodedata

import numpy as np
from numpy.typing import NDArray

from models.errors import ParameterError
from models.vocabulary import normalize

SEED_LIMIT = 2**64
SEED_TEXT_LIMIT = 256

_MASK = np.uint64(0xFFFFFFFF)
_SHIFT = np.uint64(32)
_MULTIPLIERS = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_KEY_STEPS = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
_ROUNDS = 10

Words = NDArray[np.uint64]
"""32-bit words, held in 64 bits so that products do not overflow."""


def philox(counter: tuple[Words, Words, Words, Words], key: tuple[Words, Words]) -> Words:
    """Philox4x32-10, vectorised.

    Args:
        counter: four arrays of one shape (...), 32-bit words, the least significant first.
        key: two arrays of a shape that goes with it, or scalars.

    Returns:
        (4, ...) 32-bit words.
    """
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(_ROUNDS):
        p0, p1 = _MULTIPLIERS[0] * c0, _MULTIPLIERS[1] * c2
        c0, c1, c2, c3 = (
            (p1 >> _SHIFT) ^ c1 ^ k0,
            p1 & _MASK,
            (p0 >> _SHIFT) ^ c3 ^ k1,
            p0 & _MASK,
        )
        k0, k1 = (k0 + _KEY_STEPS[0]) & _MASK, (k1 + _KEY_STEPS[1]) & _MASK
    return np.stack([c0, c1, c2, c3])


def uniforms(
    seeds: int | NDArray[np.uint64], indexes: NDArray[np.uint64], length: int, first: int = 0
) -> NDArray[np.float64]:
    """The uniforms of successive characters of some names.

    Args:
        seeds: of their streams, 0 to 2**64 - 1; one for all, or (B,).
        indexes: (B,) positions in the streams.
        length: how many characters of each, >= 0.
        first: which character is the first, even.

    Returns:
        (B, length) float64, each a multiple of 2**-53 in [0, 1).
    """
    keys = np.asarray(seeds, dtype=np.uint64)[..., None]
    blocks = np.arange(first // 2, (first + length + 1) // 2, dtype=np.uint64)
    low, high, block = np.broadcast_arrays(
        (indexes & _MASK)[:, None], (indexes >> _SHIFT)[:, None], blocks
    )
    words = philox((low, high, block, np.zeros_like(low)), (keys & _MASK, keys >> _SHIFT))
    # 27 and 26 bits make the 53 of a float64, as in the Mersenne Twister's res53.
    bits = ((words[0::2] >> np.uint64(5)) << np.uint64(26)) | (words[1::2] >> np.uint64(6))
    pairs = bits.astype(np.float64) * 2.0**-53  # (2, B, blocks)
    return pairs.transpose(1, 2, 0).reshape(len(indexes), 2 * len(blocks))[:, :length]


def seed_from_text(text: str) -> int:
    """The seed that a text stands for.

    What reads as an integer is that integer; any other text is hashed (the
    first 8 bytes, little-endian, of the SHA-256 of its NFC form in UTF-8).

    Args:
        text: 1 to 256 characters.

    Returns:
        0 to 2**64 - 1.

    Raises:
        ParameterError: it is empty, too long, not Unicode text, holds control
            characters, or is an integer out of range.
    """
    if not 1 <= len(text) <= SEED_TEXT_LIMIT:
        raise ParameterError("seed", f"has {len(text)} characters; allowed: 1 to {SEED_TEXT_LIMIT}")
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in text):
        raise ParameterError("seed", "holds control characters or lone surrogates")
    if reads_as_integer(text):
        return check_seed(int(text))
    digest = hashlib.sha256(normalize(text).encode()).digest()
    return int.from_bytes(digest[:8], "little")


def reads_as_integer(text: str) -> bool:
    """Whether a seed is a number rather than a text: ASCII digits, a sign, spaces around."""
    return re.fullmatch(r" *[+-]?[0-9]+ *", text) is not None


def check_seed(seed: int) -> int:
    """`seed` itself.

    Raises:
        ParameterError: it is not from 0 to 2**64 - 1.
    """
    if not 0 <= seed < SEED_LIMIT:
        raise ParameterError("seed", "is out of range; allowed: 0 to 18446744073709551615")
    return seed


def draw_seed() -> int:
    """A fresh seed below 2**53, which every JSON reader holds exactly."""
    return secrets.randbelow(2**53)

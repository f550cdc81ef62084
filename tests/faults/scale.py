"""How much of everything: all of it for `make faults`, a hundredth otherwise."""

import os

SCALE = float(os.environ.get("FAULTS_SCALE", "0.01"))
FULL = SCALE >= 0.1
"""Whether figures mean anything. If not, the service is as other tests have it, ready soon."""


def scaled(count: float, least: int = 1) -> int:
    """So many of `count`, and no fewer than `least`, without which a test would be another."""
    return max(least, round(count * SCALE))


def scaled_s(seconds: float, least: float = 1.0) -> float:
    """So long of `seconds`, likewise."""
    return max(least, seconds * SCALE)

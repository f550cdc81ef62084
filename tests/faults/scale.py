"""How much of the fault suite runs: all of it with FAULTS_SCALE=1, a taste of it by default."""

import os

SCALE = float(os.environ.get("FAULTS_SCALE", "0.01"))


def scaled(full: float, least: int = 1) -> int:
    """So many of `full` as the scale says, but not fewer than `least`."""
    return max(least, round(full * SCALE))

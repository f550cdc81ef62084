"""What the processes of a run must have in common, compared before its first step.

Each reads its own host's files. With another corpus, seed or version on one of them the
gradients would still add up, and no one would see that the model is of nothing.
"""

import hashlib
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from models.errors import NamewrightError
from training.parallel import Group

_SOURCE = ("models", "training")


class DisagreementError(NamewrightError, ValueError):
    """The processes of a group have set out to do different things."""


def agree(group: Group, plan: Mapping[str, Any]) -> None:
    """Compare what the processes have set out to do, plain values by name.

    Raises:
        DisagreementError: in all of them, naming the first that differs from rank 0, and how.
        LostProcessError: another process has gone.
    """
    first, *others = group.gather((platform.node(), dict(plan)))
    for rank, (host, other) in enumerate(others, start=1):
        differences = [
            f"{name} ({other.get(name)!r}, not {first[1].get(name)!r})"
            for name in sorted({*first[1], *other})
            if other.get(name) != first[1].get(name)
        ]
        if differences:
            raise DisagreementError(
                f"rank {rank} on {host} differs from rank 0 on {first[0]}: "
                f"{', '.join(differences)}. All must be the same"
            )


def source_sha256() -> str:
    """Of the code that decides what is learned."""
    digest = hashlib.sha256()
    root = Path(__file__).parent.parent
    for path in sorted(path for package in _SOURCE for path in (root / package).rglob("*.py")):
        digest.update(f"{path.relative_to(root)}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()

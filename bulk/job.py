"""What a job is: all that decides the bytes of its files, and nothing else."""

from dataclasses import dataclass
from typing import Any

from bulk.shards import Shard
from models.checkpoint import SAMPLER_VERSION
from models.storage import to_json

SCHEMA = 1
GENERATE, SCORE = "generate", "score"


@dataclass(frozen=True)
class Job:
    """A job, as its folder has it.

    Attributes:
        about: for `_job.json`; `request` are its parameters as applied, the fingerprint of the
            model among them.
    """

    about: dict[str, Any]

    @classmethod
    def of(cls, kind: str, shard: int, request: dict[str, Any]) -> "Job":
        """A job of a kind, cut into files of `shard` indexes."""
        version = SAMPLER_VERSION
        return cls(
            {
                "schema": SCHEMA,
                "kind": kind,
                "sampler_version": version,
                "shard": shard,
                "request": request,
            }
        )

    @property
    def request(self) -> dict[str, Any]:
        """Its parameters as applied."""
        return dict(self.about["request"])

    def footer(self, shard: Shard) -> dict[str, str]:
        """What the file of a shard says of itself."""
        seed = {"seed": self.request["seed"]} if "seed" in self.request else {}
        said = {
            "kind": self.about["kind"],
            "fingerprint": self.request["fingerprint"],
            "sampler_version": self.about["sampler_version"],
            **seed,
            "first_index": shard.first,
            "count": shard.count,
            "request": to_json(self.request).decode(),
        }
        return {f"namewright.{name}": str(value) for name, value in said.items()}

    def differences(self, other: dict[str, Any]) -> str:
        """In what it is another job than one whose `about` is given; empty if in nothing."""
        mine, theirs = _flat(self.about), _flat(other)
        return ", ".join(
            f"{name} is {theirs.get(name)!r} there, {mine.get(name)!r} here"
            for name in sorted(mine.keys() | theirs.keys())
            if mine.get(name) != theirs.get(name)
        )


def _flat(about: dict[str, Any]) -> dict[str, Any]:
    beside = {name: value for name, value in about.items() if name != "request"}
    return {**beside, **about["request"]}

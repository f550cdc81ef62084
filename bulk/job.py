"""What a job is: all that decides the bytes of its files, and nothing else."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bulk.options import GenerateOptions
from bulk.shards import Shard, shards
from models.checkpoint import SAMPLER_VERSION
from models.storage import to_json

SCHEMA = 1


@dataclass(frozen=True)
class Job:
    """A job, as its folder has it.

    Attributes:
        about: for `_job.json`; `request` are its parameters as applied, as the service echoes
            them, the model's fingerprint among them.
    """

    about: dict[str, Any]

    @classmethod
    def of(cls, options: GenerateOptions, applied: dict[str, Any]) -> "Job":
        """The job of some options and of what they come to."""
        request = applied | {"scores": options.scores}
        return cls(
            {
                "schema": SCHEMA,
                "kind": "generate",
                "sampler_version": SAMPLER_VERSION,
                "shard": options.shard,
                "request": request,
            }
        )

    def shards(self) -> Iterator[Shard]:
        """Its files, in order; ParameterError where they would be too many."""
        request = self.about["request"]
        return shards(request["offset"], request["n"], self.about["shard"])

    def footer(self, shard: Shard) -> dict[str, str]:
        """What the file of a shard says of itself."""
        request = self.about["request"]
        return {
            "namewright.kind": self.about["kind"],
            "namewright.fingerprint": request["fingerprint"],
            "namewright.sampler_version": str(self.about["sampler_version"]),
            "namewright.seed": str(request["seed"]),
            "namewright.first_index": str(shard.first),
            "namewright.count": str(shard.count),
            "namewright.request": to_json(request).decode(),
        }

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

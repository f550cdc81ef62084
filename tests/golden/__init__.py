"""The promises, written down: names for some seeds, and what can be asked over HTTP.

`python -m tests.golden` writes names.json, openapi.json and app/examples.json anew, or only
`names`, `openapi` or `examples`. For names that is right only
together with a new checkpoint (its fingerprint changes by itself) or a higher SAMPLER_VERSION,
for both with a line in CHANGELOG.md.
"""

from pathlib import Path
from typing import Any

from app.main import create_app
from app.settings import Settings
from models.checkpoint import Checkpoint
from models.generation import generate
from models.randomness import seed_from_text
from models.request import GenerationRequest
from models.sampling import SamplingParams

PATH = Path(__file__).parent / "names.json"
OPENAPI = Path(__file__).parent / "openapi.json"

REQUESTS: dict[str, dict[str, Any]] = {
    **{f"seed {text}": {"seed": text} for text in (
        "0", "1", "2", "7", "42", "1234567890", "9007199254740991", "18446744073709551615",
        "emma", "café", "이름", "a seed of several words",
    )},
    "seed 42, offset 10": {"seed": "42", "offset": 10},
    "seed 42, offset 9e15": {"seed": "42", "offset": 9 * 10**15},
    "seed 42, temperature 0.8, top_k 10": {
        "seed": "42", "sampling": SamplingParams(temperature=0.8, top_k=10),
    },
    "seed 42, top_p 0.9": {"seed": "42", "sampling": SamplingParams(top_p=0.9)},
    "seed 42, min_p 0.1": {"seed": "42", "sampling": SamplingParams(min_p=0.1)},
    "seed 42, temperature 0": {"seed": "42", "sampling": SamplingParams(temperature=0)},
    "seed 42, prefix ma, 4 to 6 characters": {
        "seed": "42", "prefix": "ma", "min_length": 4, "max_length": 6,
    },
}  # fmt: skip


TEXT_REQUESTS: dict[str, dict[str, Any]] = {
    "seed 42": {"seed": "42"},
    "seed 이름, offset 9e15, 30 characters": {
        "seed": "이름", "offset": 9 * 10**15, "max_length": 30,
    },
    "seed 42, temperature 0.8, top_k 10, 30 characters": {
        "seed": "42", "sampling": SamplingParams(temperature=0.8, top_k=10), "max_length": 30,
    },
    "seed 42, prompt 조선, 30 characters": {"seed": "42", "prefix": "조선", "max_length": 30},
}  # fmt: skip
"""For models of running text."""


def answers(checkpoint: Checkpoint) -> dict[str, list[str]]:
    """What a model gives for every request above of its kind."""
    found = {}
    requests = REQUESTS if checkpoint.kind == "lines" else TEXT_REQUESTS
    for title, values in requests.items():
        request = GenerationRequest(**(values | {"seed": seed_from_text(values["seed"]), "n": 12}))
        drawn = generate(checkpoint.model, checkpoint.vocabulary, request).names
        found[title] = [name.name for name in drawn]
    return found


def contract() -> dict[str, Any]:
    """The OpenAPI description of the service, whatever its version, without examples of answers."""
    described = create_app(Settings()).openapi()
    del described["info"]["version"]
    for operations in described["paths"].values():
        for operation in operations.values():
            for part in (operation.get("requestBody", {}), *operation["responses"].values()):
                for content in part.get("content", {}).values():
                    content.pop("examples", None)
    return described

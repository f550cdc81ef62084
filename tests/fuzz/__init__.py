"""The whole API asked by schemathesis: all that its OpenAPI description lets one say, and more.

`make fuzz` starts the service and runs every check of https://schemathesis.readthedocs.io
against it; schemathesis.toml says what is taken as it is, and why.
"""

import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
"""Where it must be run: its hooks are imported from there."""
SERVED = {"MODELS": "bigram,gru,korean-gpt", "DEFAULT_MODEL": "bigram", "DEADLINE_S": 2}
"""Settings: a table, a net and running text stand for all models. Names that hardly ever come
are looked for until the deadline, so it is short."""


def command(port: int, examples: int, *options: str) -> list[str]:
    """What runs schemathesis against a service; it exits with 0 where it finds nothing.

    Args:
        port: of the service, on 127.0.0.1.
        examples: of each operation, at most.
        options: more of `schemathesis run`.
    """
    run = [sys.executable, "-m", "schemathesis.cli", "--no-color"]
    run += ["--config-file", str(HERE / "schemathesis.toml"), "run"]
    run += [f"http://127.0.0.1:{port}/openapi.json", "--checks", "all"]
    return [*run, "--max-examples", str(examples), *options]

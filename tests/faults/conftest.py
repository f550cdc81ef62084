"""Where the fault suite leaves its figures."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.scale import SCALE

_REPORT = Path(__file__).parent.parent.parent / "build" / "faults.jsonl"


@pytest.fixture
def report(request: pytest.FixtureRequest) -> Callable[[dict[str, object]], None]:
    """report(figures): a line of build/faults.jsonl, with the test, the scale and the cores."""

    def write(figures: dict[str, object]) -> None:
        line = {"test": request.node.nodeid, "scale": SCALE, "cores": os.cpu_count(), **figures}
        _REPORT.parent.mkdir(exist_ok=True)
        with _REPORT.open("a") as file:
            file.write(json.dumps(line) + "\n")

    return write

"""What was measured, beside what is asked: a line of JSON for each test, and a table of them."""

import json
import os
import platform
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.faults.ledger import Ledger, percentile
from tests.faults.scale import SCALE

PATH = Path(__file__).parent.parent.parent / "build" / "faults.jsonl"


class Report:
    """Of one test.

    Args:
        test: its id.
    """

    def __init__(self, test: str) -> None:
        self._began = time.monotonic()
        self._line: dict[str, Any] = {"test": test, "scale": SCALE, "cores": os.cpu_count()}
        self._line |= {"python": platform.python_version(), "figures": []}

    def add(self, what: str, measured: float | str, asked: str = "") -> None:
        """One figure.

        Args:
            what: it is, with its unit.
            measured: in this run.
            asked: what it should be at full scale; empty: it is told for its own sake.
        """
        figure = {"what": what, "measured": measured, "asked": asked}
        self._line["figures"].append(figure)

    def add_all(self, figures: Mapping[str, object]) -> None:
        """Several, told for their own sake, by what they are."""
        for what, measured in figures.items():
            self.add(what, measured if isinstance(measured, float | int) else str(measured))

    def add_ledger(self, ledger: Ledger, what: str = "requests", p99_ms: str = "") -> None:
        """How many requests there were, and what became of them; and how long their 200s took.

        Args:
            ledger: of them.
            what: they are.
            p99_ms: what is asked of that.
        """
        told = {str(status): count for status, count in sorted(ledger.counts.items())}
        told |= {loss.name.lower(): count for loss, count in ledger.lost.items()}
        told |= {f"retried_{loss.name.lower()}": n for loss, n in ledger.retried.items()}
        for name in ("wrong", "rude", "unasked", "refused", "closed", "unsent"):
            if count := getattr(ledger, name):
                told[name] = count
        self.add(f"{what}: {ledger.asked}", ", ".join(f"{key} {n}" for key, n in told.items()))
        if seconds := ledger.series[200].seconds:
            for percent in (50, 99):
                latency_ms = round(percentile(seconds, percent) * 1000, 2)
                self.add(f"{what}: p{percent}, ms", latency_ms, p99_ms if percent == 99 else "")

    def write(self, passed: bool) -> None:
        """Append it to the file, whole."""
        self._line |= {"passed": passed, "seconds": round(time.monotonic() - self._began, 1)}
        PATH.parent.mkdir(exist_ok=True)
        with PATH.open("a", encoding="utf-8") as file:
            file.write(json.dumps(self._line) + "\n")


def table() -> Iterator[str]:
    """The lines of a table of all that the file has."""
    for text in PATH.read_text(encoding="utf-8").splitlines():
        line = json.loads(text)
        outcome = "passed" if line["passed"] else "FAILED"
        yield (
            f"\n{line['test']}: {outcome} in {line['seconds']:,} s"
            f" (scale {line['scale']:g}, {line['cores']} cores)"
        )
        for figure in line["figures"]:
            asked = f"   asked: {figure['asked']}" if figure["asked"] else ""
            yield f"    {figure['what']:<44} {figure['measured']}{asked}"

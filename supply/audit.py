"""python -m supply.audit: whether anything that is pinned has a known vulnerability.

pip-audit asks, first PyPI, then OSV. It must not say "none" where no one was asked: of PyPI it
passes over what is not found there, which behind a mirror that has packages alone is everything.

Exit status 1 for a vulnerability, or where pip-audit itself fails; 0 where none is known, and
where no database can be reached: that is said in a line, and is no fault of what is built.
Options are handed on to pip-audit: --ignore-vuln ID.
"""

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from supply.pins import CONSTRAINTS

SERVICES = {"PyPI": ["-s", "pypi"], "OSV": ["-s", "osv"]}
"""Databases, and pip-audit's options for them."""

_NO_ANSWER = re.compile(
    r"requests\.exceptions\.\w+|pip_audit\._service\.interface\.\w*Error|Try another service"
)


class Outcome(Enum):
    """What an audit has found."""

    CLEAN = "clean"
    VULNERABLE = "vulnerable"
    UNREACHED = "unreached"
    FAILED = "failed"


@dataclass(frozen=True)
class Verdict:
    """Of an audit: its outcome, and the lines that tell of it."""

    outcome: Outcome
    lines: tuple[str, ...]


def judge(status: int, output: str, errors: str) -> Verdict:
    """What a run of pip-audit means.

    Args:
        status: its exit status.
        output: what it has written as JSON; empty where it did not come so far.
        errors: what it has written to standard error.
    """
    last = errors.strip().rpartition("\n")[2]
    if not output.strip():
        outcome = Outcome.UNREACHED if _NO_ANSWER.search(errors) else Outcome.FAILED
        return Verdict(outcome, (last or f"pip-audit ended with status {status}",))
    told: list[dict[str, Any]] = json.loads(output)["dependencies"]
    audited = [each for each in told if "vulns" in each]
    passed_over = [each["name"] for each in told if "vulns" not in each]
    vulnerable = tuple(
        f"{each['name']} {each['version']}: {fault['id']}"
        + (f", mended in {', '.join(fault['fix_versions'])}" if fault["fix_versions"] else "")
        for each in audited
        for fault in each["vulns"]
    )
    if vulnerable:
        return Verdict(Outcome.VULNERABLE, vulnerable)
    if not audited:
        return Verdict(Outcome.UNREACHED, ("it knows none of the packages",))
    if status:
        return Verdict(Outcome.FAILED, (last,))
    line = f"{len(audited)} packages, no known vulnerability"
    if passed_over:
        line += f"; not audited, for it does not know them: {', '.join(passed_over)}"
    return Verdict(Outcome.CLEAN, (line,))


def ask(service: Sequence[str], options: Sequence[str] = ()) -> Verdict:
    """Have pip-audit ask one database of all that is pinned.

    Args:
        service: its options for the database.
        options: others of it.
    """
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pip_audit", "--requirement", str(CONSTRAINTS)),
            *("--no-deps", "--disable-pip", "--format", "json", "--desc", "off"),
            *("--progress-spinner", "off", *service, *options),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    return judge(done.returncode, done.stdout, done.stderr)


def main(options: Sequence[str]) -> int:
    """Ask until a database answers; returns the exit status."""
    unreached = []
    for name, service in SERVICES.items():
        verdict = ask(service, options)
        if verdict.outcome is not Outcome.UNREACHED:
            for line in verdict.lines:
                print(f"audit by {name}: {line}")
            return 0 if verdict.outcome is Outcome.CLEAN else 1
        unreached.append(f"{name}: {verdict.lines[0][:200]}")
    print(f"NOT AUDITED: no database of vulnerabilities could be reached ({'; '.join(unreached)})")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

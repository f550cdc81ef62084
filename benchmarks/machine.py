"""What a figure was measured on; not a benchmark itself."""

import os
import platform
from pathlib import Path

import numpy
import torch


def describe_machine() -> dict[str, str | int]:
    """Processor, cores and versions."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count() or 0,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": numpy.__version__,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(": ")[1] for line in lines if line.startswith("model name")), "?")

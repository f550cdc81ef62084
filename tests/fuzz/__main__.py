"""`python -m tests.fuzz EXAMPLES [options of schemathesis run]`; the exit status is its own."""

import subprocess
import sys
import tempfile
from pathlib import Path

from tests.fuzz import ROOT, SERVED, command
from tests.service.conftest import serving

with tempfile.TemporaryDirectory() as folder, serving(Path(folder) / "log", **SERVED) as service:
    run = command(service.port, int(sys.argv[1]), *sys.argv[2:])
    status = subprocess.run(run, cwd=ROOT, check=False).returncode
sys.exit(status)

"""`python -m tests.fuzz EXAMPLES [options of schemathesis run]`; the exit status is its own."""

import sys
import tempfile
from pathlib import Path

from tests.fuzz import SERVED, fuzz
from tests.service.conftest import serving

with tempfile.TemporaryDirectory() as folder, serving(Path(folder) / "log", **SERVED) as service:
    ran = fuzz(service.port, int(sys.argv[1]), *sys.argv[2:])
sys.stdout.write(ran.stdout)
sys.exit(ran.returncode)

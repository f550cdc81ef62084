"""Loading a checkpoint must not pull in what serving never uses."""

import subprocess
import sys
from pathlib import Path

CHECKPOINT = Path(__file__).parents[2] / "checkpoints" / "transformer"


def test_loading_a_checkpoint_does_not_import_torchs_compiler() -> None:
    # A process of its own: another test may have imported it.
    code = (
        "import sys; from pathlib import Path; from models.checkpoint import load_checkpoint; "
        f"load_checkpoint(Path({str(CHECKPOINT)!r})); "
        "sys.exit('torch._dynamo' in sys.modules or 'sympy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

"""Loading a checkpoint must not pull in what serving never uses."""

import subprocess
import sys

from tests.exact import CHECKPOINTS, bundled_ids


def test_loading_checkpoints_does_not_import_torchs_compiler() -> None:
    # A process of its own: another test may have imported it.
    folders = [str(CHECKPOINTS / model_id) for model_id in bundled_ids("lines", "text")]
    code = (
        "import sys; from pathlib import Path; from models.checkpoint import load_checkpoint; "
        f"[load_checkpoint(Path(folder)) for folder in {folders!r}]; "
        "sys.exit('torch._dynamo' in sys.modules or 'sympy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

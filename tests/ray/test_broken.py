"""What cannot start says why, and is not tried for ever."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.ray.cluster import START_LIMIT_S, end, kill, launch, short_folder
from tests.service.conftest import free_port

pytestmark = pytest.mark.ray

LEAST_S = 5
"""In which another try would be made, were there one."""


def outcome(**settings: object) -> tuple[dict[str, Any], int]:
    """What `serve status` says of a deployment that was given up, and how often it was tried."""
    with short_folder() as folder:
        log = folder / "log"
        process = launch(folder, free_port(), free_port(), {"num_replicas": 2}, **settings)
        try:
            deadline = time.monotonic() + START_LIMIT_S
            while not (found := status(folder)) or found["status"] != "DEPLOY_FAILED":
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(1)
            tries = starts(log)
            time.sleep(LEAST_S)
            assert starts(log) == tries
        except BaseException:
            kill(process)
            raise
        end(process, log)
        return found["deployments"]["Names"], tries


def status(folder: Path) -> dict[str, Any]:
    """Of the application; nothing before there is one."""
    done = subprocess.run(
        [Path(sys.executable).with_name("serve"), "status"],
        env=os.environ | {"HOME": str(folder), "RAY_AUTH_MODE": "token"},
        capture_output=True,
        check=False,
    )
    told = yaml.safe_load(done.stdout) if done.returncode == 0 else {}
    found: dict[str, Any] = told.get("applications", {}).get("namewright", {})
    return found


def starts(log: Path) -> int:
    return log.read_text().count("to Deployment(name='Names', app='namewright')")


def test_a_broken_checkpoint_is_named_and_not_tried_for_ever(
    make_checkpoint: Callable[..., Path],
) -> None:
    weights = make_checkpoint("bigram", name="tiny") / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    told, tries = outcome(CHECKPOINTS=weights.parent.parent, DEFAULT_MODEL="tiny")
    assert told["status"] == "DEPLOY_FAILED"
    assert f"CheckpointError: {weights}: damaged" in told["message"]
    assert 1 <= tries <= 4


def test_a_setting_that_is_out_of_range_is_named() -> None:
    told, _ = outcome(QUEUE_SIZE=0)
    assert "NAMEWRIGHT_QUEUE_SIZE: Input should be greater than or equal to 1" in told["message"]

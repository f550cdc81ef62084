"""What cannot start says why, and ends."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.ray.cluster import REPLICA, END_LIMIT_S, START_LIMIT_S, kill, launch, session, short_folder
from tests.service.conftest import free_port

pytestmark = pytest.mark.ray


def fails(**settings: object) -> str:
    """What `serve run` has written to the terminal when it has given up by itself."""
    with short_folder() as folder:
        process = launch(folder, free_port(), {"num_replicas": 2}, **settings)
        try:
            status = process.wait(START_LIMIT_S)
            log = (folder / "log").read_text()
            assert status != 0, log
            return log
        finally:
            kill(process)


def test_a_broken_checkpoint_is_named_and_not_tried_for_ever(
    make_checkpoint: Callable[..., Path],
) -> None:
    folder = make_checkpoint("bigram", name="tiny")
    weights = folder / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    log = fails(CHECKPOINTS=folder.parent, DEFAULT_MODEL="tiny")
    assert "model.safetensors" in log
    assert "DEPLOY_FAILED" in log or "failed" in log


def test_a_setting_that_is_out_of_range_is_named() -> None:
    assert "NAMEWRIGHT_QUEUE_SIZE: Input should be greater than or equal to 1" in fails(QUEUE_SIZE=0)

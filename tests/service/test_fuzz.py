"""A short run of `make fuzz`: a few cases of each operation, the same ones each time."""

import subprocess

import pytest

from app.main import create_app
from app.settings import Settings
from tests.fuzz import ROOT, SERVED, command
from tests.service.conftest import Serve

EXAMPLES = 20


@pytest.mark.slow
def test_schemathesis_finds_nothing(serve: Serve) -> None:
    with serve(**SERVED) as service:
        run = command(service.port, EXAMPLES, "--generation-deterministic")
        ran = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    operations = create_app(Settings()).openapi()["paths"].values()
    assert f"Tested: {sum(map(len, operations))}" in ran.stdout

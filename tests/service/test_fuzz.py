"""A short run of `make fuzz`: a few cases of each operation, the same ones each time."""

import pytest

from app.main import create_app
from app.settings import Settings
from tests.fuzz import SERVED, fuzz
from tests.service.conftest import Serve

EXAMPLES = 20


@pytest.mark.slow
def test_schemathesis_finds_nothing(serve: Serve) -> None:
    with serve(**SERVED) as service:
        ran = fuzz(service.port, EXAMPLES, "--generation-deterministic")
    assert ran.returncode == 0, ran.stdout
    operations = create_app(Settings()).openapi()["paths"].values()
    assert f"Tested: {sum(map(len, operations))}" in ran.stdout

"""Ray with two replicas of the service, and the plain service beside which they are held."""

from collections.abc import Iterator
from importlib.util import find_spec

import pytest

from tests.ray.cluster import Cluster, deployed
from tests.service.conftest import Service, free_port, serving


@pytest.fixture(scope="session", autouse=True)
def _with_ray() -> None:
    if find_spec("ray") is None:
        pytest.skip("Ray is not installed: make test-ray installs it")


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """`python -m app`."""
    with serving(tmp_path_factory.mktemp("plain") / "log", POOL_NAMES=0) as running:
        yield running


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """Two replicas of all models, whose environment has what is not theirs to do."""
    others = {"METRICS_PORT": free_port(), "WORKERS": 2}
    with deployed(2, {"num_replicas": 2}, **others) as running:
        yield running

"""The service under trial, questions whose answers are known, and the report."""

import resource
from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from app.settings import Settings
from tests.faults.questions import Known, ask, distinct, mixed
from tests.faults.report import Report
from tests.faults.scale import FULL, scaled
from tests.service.conftest import Serve, Service, serving

# The defaults, which other tests do not take; in small they would not be ready in time.
SETTINGS = {
    name.upper(): Settings.model_fields[name].default
    for name in ("tree_memory_mb", "pool_names", "deadline_s")
    if FULL
}

_PASSED = pytest.StashKey[bool]()


@pytest.fixture(scope="session", autouse=True)
def _many_descriptors() -> Iterator[None]:
    """As many connections as are allowed, here and in the services, which inherit it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
def serve(tmp_path: Path) -> Serve:
    """serve(SETTING=value, ...) -> a context of a service of one's own, as it is by default."""

    def start(**environment: object) -> AbstractContextManager[Service]:
        return serving(tmp_path / "log", **(SETTINGS | environment))

    return start


@pytest.fixture(scope="session")
def known(tmp_path_factory: pytest.TempPathFactory) -> Known:
    """Questions with their answers, of a service that nothing else has asked."""
    number = scaled(2000, least=20)
    with serving(tmp_path_factory.mktemp("at_rest") / "log") as service:
        return Known(ask(service.port, distinct(number)), ask(service.port, mixed(number)))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep whether a test has passed, for its report."""
    outcome = yield
    if call.when == "call":
        item.stash[_PASSED] = outcome.passed
    return outcome


@pytest.fixture
def report(request: pytest.FixtureRequest) -> Iterator[Report]:
    """The report of a test, written when it ends."""
    told = Report(request.node.nodeid)
    yield told
    told.write(request.node.stash.get(_PASSED, False))

"""The metrics of several workers, together.

Each worker writes its own to files of a folder, and whoever is asked adds them up: the client
library's multiprocess mode, which a process takes from PROMETHEUS_MULTIPROC_DIR when it first
imports that library. The parent, which has no use for torch, makes the folder.
"""

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from prometheus_client import CollectorRegistry, Metric, start_http_server
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

from app.startup import StartupError

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""Of the environment: the folder."""


class AllWorkers(Collector):
    """The sums of what the workers have written to a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Iterable[Metric]:
        """Of counters those of workers that are no more too; of gauges those that live."""
        for pid in {int(path.stem.rpartition("_")[2]) for path in self._folder.glob("gauge_live*")}:
            try:
                os.kill(pid, 0)  # no signal: only asks
            except ProcessLookupError:
                mark_process_dead(pid, str(self._folder))
        collected: Iterable[Metric] = MultiProcessCollector(None, str(self._folder)).collect()
        return collected


def shared_registry() -> CollectorRegistry | None:
    """The metrics of all workers; None where there is one process alone."""
    folder = os.environ.get(VARIABLE)
    if folder is None:
        return None
    registry = CollectorRegistry()
    registry.register(AllWorkers(Path(folder)))
    return registry


@contextmanager
def shared_metrics() -> Iterator[None]:
    """Workers that are started within write their metrics to one folder, removed afterwards.

    Raises:
        StartupError: there is no place for temporary files.
    """
    try:
        folder = tempfile.mkdtemp(prefix="namewright-metrics-")
    except OSError as error:
        raise StartupError(f"the metrics of several workers need a folder: {error}") from error
    os.environ[VARIABLE] = folder
    try:
        yield
    finally:
        del os.environ[VARIABLE]
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def served_metrics(host: str, port: int, registry: CollectorRegistry) -> Iterator[None]:
    """Within, metrics have a port of their own; 0: they have none.

    Raises:
        StartupError: the port is taken, say.
    """
    if not port:
        yield
        return
    try:
        server, thread = start_http_server(port, host, registry)
    except OSError as error:
        raise StartupError(f"NAMEWRIGHT_METRICS_PORT: {port}: {error.strerror}") from error
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

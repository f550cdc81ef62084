"""What an operator sees of one process, in Prometheus' words.

Where there are several, see metrics_folder.py: counters and histograms count from the start
of the service, those of workers that have been replaced included; gauges are sums over the
workers that live.
"""

import asyncio
import os
import platform
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import torch
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
)

from app.catalog import Catalog
from app.engine import Engine
from app.refusals import REFUSED
from models.checkpoint import SAMPLER_VERSION

_EVERY_S = 1
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_SOURCES = {"from_tree": "tree", "from_drafts": "draft", "from_model": "model"}
_COUNTED = {
    "names": ("namewright_names", "Names drawn for requests and for the pool"),
    "draws": ("namewright_draws", "Indexes of streams that these names took"),
    "passes": ("namewright_passes", "Passes through the model to draw names"),
    "rows": ("namewright_pass_rows", "Rows of these passes that were needed: the batch"),
}


class Metrics:
    """The metrics of one process."""

    def __init__(self) -> None:
        disable_created_metrics()  # of each counter; workers that share a folder have none either
        self.registry = CollectorRegistry()
        self._requests = self._counter(
            "namewright_requests", "Requests answered", "method", "route", "status"
        )
        self._seconds = Histogram(
            "namewright_request_seconds",
            "Seconds from a request to the end of its answer, by route",
            ("route",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._rejections = self._counter(
            "namewright_rejections", "Requests that were refused or failed, by cause", "cause"
        )
        self._under_way_gauge = self._gauge(
            "namewright_requests_under_way", "Requests being answered"
        )
        self._under_way = 0  # which the gauge is told now and then: it has a lock
        # What is to be told of a request, by its labels: to find their metrics takes longer.
        self._told: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self._pending = self._gauge(
            "namewright_engine_pending", "Requests that wait for the engine or are in it"
        )
        self._queue_size = self._gauge("namewright_engine_queue_size", "Most that may")
        self._pool = self._gauge("namewright_pool_names", "Names that are ready")
        self._counts = {
            field: self._counter(name, text, "model") for field, (name, text) in _COUNTED.items()
        }
        self._characters = self._counter(
            "namewright_characters", "Characters drawn, by what gave the distribution",
            "model", "source",
        )  # fmt: skip
        self._prefixes = self._gauge("namewright_tree_prefixes", "Distributions kept", "model")
        self._tree_bytes = self._gauge("namewright_tree_bytes", "Memory that they take", "model")
        self._memory = self._gauge("namewright_memory_bytes", "Resident memory")
        self._descriptors = self._gauge("namewright_open_descriptors", "Files and sockets open")
        self._threads = self._gauge("namewright_threads", "Threads")
        self._reloads = self._counter(
            "namewright_reloads", "Checkpoints loaded again, by outcome", "outcome"
        )
        self._build_info = self._constant(
            "namewright_build_info", "What runs", "version", "sampler_version", "python", "torch"
        )
        self._model_info = self._constant(
            "namewright_model_info", "What is served", "model", "fingerprint", "architecture",
            "device", "default",
        )  # fmt: skip
        self._described: set[tuple[str, ...]] = set()
        # Of what others count: by (model, field) its tally, by ("", cause) what was refused.
        self._seen: dict[tuple[str, str], int] = {}

    def describe(self, catalog: Catalog) -> None:
        """Say what is served from now on."""
        self._build_info.labels(
            version("namewright"), SAMPLER_VERSION, platform.python_version(), torch.__version__
        ).set(1)
        now = {
            (
                served.id, served.checkpoint.fingerprint, served.checkpoint.architecture,
                served.device, str(served.id == catalog.default).lower(),
            )
            for served in catalog.models.values()
        }  # fmt: skip
        for labels in self._described | now:  # files that workers share forget no labels
            self._model_info.labels(*labels).set(labels in now)
        self._described |= now
        for outcome in ("done", "failed"):
            self._reloads.labels(outcome)  # at zero, so that the first one is seen to be more

    def reloaded(self, outcome: str) -> None:
        """Checkpoints were to be loaded again, and that is `done` or `failed`."""
        self._reloads.labels(outcome).inc()

    def begin(self) -> None:
        """A request has come."""
        self._under_way += 1

    def end(self, method: str, route: str, status: int, cause: str | None, seconds: float) -> None:
        """It has been answered.

        Args:
            method: of a few; anything else is `other`.
            route: the template, never the path: that would have no end of values.
            status: of the answer; 499 where the client left before there was one.
            cause: of what was refused or failed.
            seconds: that it took.
        """
        self._under_way -= 1
        told = self._told.get((method, route, status))
        if told is None:
            told = self._requests.labels(method, route, status), self._seconds.labels(route)
            self._told[method, route, status] = told
        requests, latencies = told
        requests.inc()
        latencies.observe(seconds)
        if cause:
            self._rejections.labels(cause).inc()

    def look_at(self, engine: Engine) -> None:
        """Bring up to date what is counted elsewhere."""
        self._under_way_gauge.set(self._under_way)
        self._pending.set(engine.pending)
        self._queue_size.set(engine.queue_size)  # not yet in a spare, which has no queue
        self._pool.set(len(engine.pool))
        for model, sampler in engine.samplers.items():
            for field, now in asdict(sampler.tally).items():
                grown = now - self._seen.get((model, field), 0)
                self._seen[model, field] = now
                if field in _SOURCES:
                    self._characters.labels(model, _SOURCES[field]).inc(grown)
                else:
                    self._counts[field].labels(model).inc(grown)
            self._prefixes.labels(model).set(len(sampler.tree))
            self._tree_bytes.labels(model).set(sampler.tree.nbytes)
        for cause, now in REFUSED.items():
            grown = now - self._seen.get(("", cause), 0)
            self._seen["", cause] = now
            self._rejections.labels(cause).inc(grown)
        self._look_at_process()

    @asynccontextmanager
    async def watch(self, engine: Engine) -> AsyncIterator[None]:
        """Within, what the engine does is told once a second."""

        async def tell() -> None:
            while True:
                self.look_at(engine)
                await asyncio.sleep(_EVERY_S)

        task = asyncio.create_task(tell())
        try:
            yield
        finally:
            task.cancel()

    def _look_at_process(self) -> None:
        own = Path("/proc/self")
        if own.exists():  # Linux
            pages = int((own / "statm").read_text().split()[1])
            self._memory.set(pages * os.sysconf("SC_PAGE_SIZE"))
            self._descriptors.set(len(os.listdir(own / "fd")))
            self._threads.set(len(os.listdir(own / "task")))

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(name, text, labels, registry=self.registry, multiprocess_mode="livesum")

    def _constant(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(name, text, labels, registry=self.registry, multiprocess_mode="livemax")

"""Sends spans to a collector, without the requests they are of having to wait for it.

A thread sends them in batches; what it cannot send is dropped, and said so in the log. Attributes
are chosen here: the framework's would hold the caller's path, query and Host.
"""

import os
import threading
from collections.abc import Sequence
from importlib.metadata import version

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import Sampler, SamplingResult
from opentelemetry.trace import Link, SpanKind, TraceState
from opentelemetry.trace import TracerProvider as AnyTracerProvider
from opentelemetry.util.types import Attributes

FINISH_S = 3.0
"""That the end of a process waits for a collector, beyond what its requests may take."""

_KEPT = frozenset({"http.request.method", "network.protocol.version", "url.scheme"})
"""Of what is known when a request comes. Its route and status are added when they are known."""


class _Discreet(Sampler):
    """Decides as another sampler, and leaves out of a span what callers wrote.

    Args:
        sampler: that OTEL_TRACES_SAMPLER names.
    """

    def __init__(self, sampler: Sampler) -> None:
        self._sampler = sampler

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        """A span's attributes are those of the result."""
        kept = {key: value for key, value in (attributes or {}).items() if key in _KEPT}
        return self._sampler.should_sample(
            parent_context, trace_id, name, kind, kept, links, trace_state
        )

    def get_description(self) -> str:
        """As the other one's."""
        return self._sampler.get_description()


def start() -> TracerProvider:
    """A provider as OpenTelemetry's variables have it, with a thread of its own in this process."""
    ours: dict[str, str | int] = {
        "service.name": "namewright",
        "service.version": version("namewright"),
        "process.pid": os.getpid(),
    }
    # By name, for its variables win; those of a resource that is made would lose to ours.
    resource = Resource.create({**ours, **OTELResourceDetector().detect().attributes})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.sampler = _Discreet(provider.sampler)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


def finish(provider: AnyTracerProvider) -> None:
    """Send what is left, for a while: a collector that does not answer holds up no end."""
    if isinstance(provider, TracerProvider):
        ending = threading.Thread(target=provider.shutdown, name="spans", daemon=True)
        ending.start()
        ending.join(FINISH_S)

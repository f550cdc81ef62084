"""Whether requests are traced, as OpenTelemetry's own variables say.

The framework begins a span for each request and names it by the route; it needs only be told where
spans go. What brings them there (`span_export.py`) is imported where it is asked for, and only
there: it costs memory and a thread.

Source: OpenTelemetry's specification of SDK environment variables. Deviations: spans are sent only
where an endpoint or an exporter is named, and by OTLP over HTTP alone.
"""

from collections.abc import Mapping, MutableMapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from opentelemetry import trace
from opentelemetry.trace import TracerProvider

if TYPE_CHECKING:  # the parent of several workers has no use for it
    from fastapi.telemetry import TelemetryConfig

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_PROTOCOL = "http/protobuf"
_PACKAGES = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")

UNTRACED = frozenset({"/livez", "/readyz", "/metrics"})
"""Paths that are asked for every few seconds, by machines."""
REQUEST_ID = "namewright.request_id"
"""Attribute of a request's span."""


def tracing_wanted(environment: Mapping[str, str]) -> bool:
    """Whether these variables ask for spans to be sent."""
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    exporter = _exporter(environment)
    return exporter != "none" and bool(exporter or _first(environment, _ENDPOINTS))


def tracing_fault(environment: Mapping[str, str]) -> str:
    """Why they ask for what cannot be had, in a line; nothing if they do not.

    An operator who asks for traces and gets none would not notice until they are needed.
    """
    if not tracing_wanted(environment):
        return ""
    if (exporter := _exporter(environment)) not in ("", "otlp"):
        return f"OTEL_TRACES_EXPORTER is {exporter}; possible are otlp and none"
    if (protocol := _first(environment, _PROTOCOLS)) not in ("", _PROTOCOL):
        return f"{_named(environment, _PROTOCOLS)} is {protocol}; possible is {_PROTOCOL}"
    endpoint = urlsplit(_first(environment, _ENDPOINTS) or "http://localhost:4318")
    if endpoint.scheme not in ("http", "https") or not endpoint.hostname:
        return f"{_named(environment, _ENDPOINTS)} must be an address that begins with http"
    if not all(map(_installed, _PACKAGES)):
        return (
            "the variables of OpenTelemetry (OTEL_…) ask for traces, and the extra otel is not "
            "installed: pip install 'namewright[otel]', or set OTEL_SDK_DISABLED=true"
        )
    return ""


def tracer_provider(environment: Mapping[str, str]) -> TracerProvider | None:
    """What sends the spans of this process; None where these variables ask for none.

    Its end must be waited for (`span_export.finish`), or the last spans are lost.
    """
    if not tracing_wanted(environment):
        return None
    from app.span_export import start

    return start()


def finish_tracing(provider: TracerProvider | None) -> None:
    """Send what is left, at the end of the process."""
    if provider:
        from app.span_export import finish

        finish(provider)


def telemetry(provider: TracerProvider | None) -> "TelemetryConfig":
    """What the framework is told: a span a request, and nothing else of its telemetry."""
    return {
        "tracer_provider": provider,
        "tracing": provider is not None,
        "metrics": False,  # Prometheus has them
        "logs": False,  # with tracebacks
        "operation_spans": False,  # of steps that fast routes leave out
        "auto_configure": False,
        "exclude": _untraced,
    }


def mark_span(request_id: str) -> str:
    """Put its id onto the span of the current request; returns the trace's, "" if there is none."""
    span = trace.get_current_span()
    context = span.get_span_context()
    if not context.is_valid:
        return ""
    span.set_attribute(REQUEST_ID, request_id)
    return trace.format_trace_id(context.trace_id)


def _untraced(scope: MutableMapping[str, Any]) -> bool:
    return scope["path"] in UNTRACED


def _exporter(environment: Mapping[str, str]) -> str:
    return environment.get("OTEL_TRACES_EXPORTER", "").strip().lower()


def _named(environment: Mapping[str, str], names: tuple[str, ...]) -> str:
    """The first of these variables that says something."""
    return next((name for name in names if environment.get(name)), names[-1])


def _first(environment: Mapping[str, str], names: tuple[str, ...]) -> str:
    return environment.get(_named(environment, names), "")


def _installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:  # not even what it is in
        return False

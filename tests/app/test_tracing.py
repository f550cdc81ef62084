"""Which variables ask for traces, and which ask for what cannot be had."""

import pytest

from app import tracing
from app.tracing import tracing_fault, tracing_wanted

ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}
OF_TRACES = {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://collector/v1/traces"}


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({}, False),
        ({"OTEL_SERVICE_NAME": "names"}, False),
        (ENDPOINT, True),
        (OF_TRACES, True),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({"OTEL_TRACES_EXPORTER": ""} | ENDPOINT, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),
        ({"OTEL_TRACES_EXPORTER": "none"} | ENDPOINT, False),
        ({"OTEL_SDK_DISABLED": "True"} | ENDPOINT, False),
        ({"OTEL_SDK_DISABLED": "false"} | ENDPOINT, True),
    ],
)
def test_traces_are_sent_where_an_exporter_or_an_endpoint_is_named(
    environment: dict[str, str], wanted: bool
) -> None:
    assert tracing_wanted(environment) is wanted
    assert tracing_fault(environment) == ""


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({"OTEL_TRACES_EXPORTER": "console"}, "OTEL_TRACES_EXPORTER is console"),
        (ENDPOINT | {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "OTEL_EXPORTER_OTLP_PROTOCOL is grpc"),
        (
            ENDPOINT | {"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/json"},
            "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL is http/json; possible is http/protobuf",
        ),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4318"}, "OTEL_EXPORTER_OTLP_ENDPOINT must"),
        (ENDPOINT | {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://"}, "TRACES_ENDPOINT must"),
    ],
)
def test_what_cannot_be_had_is_told_by_its_variable(
    environment: dict[str, str], named: str
) -> None:
    assert named in tracing_fault(environment)


def test_without_the_extra_traces_are_refused_and_not_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tracing, "_PACKAGES", ("opentelemetry.no.such",))
    assert "the extra otel is not installed" in tracing_fault(ENDPOINT)
    assert tracing_fault({}) == ""

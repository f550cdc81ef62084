"""Log lines: uvicorn's own, or a JSON object each, with the id of the request that they are of.

A JSON line is one line, whatever is in it. A caller's query is left out of it: the words
that were scored are nobody's business. Keys come in headers, which are never logged.
"""

import copy
import json
import logging
import time
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from uvicorn.config import LOGGING_CONFIG
from uvicorn.logging import DefaultFormatter


@dataclass(slots=True)
class CurrentRequest:
    """The request that a task answers.

    Attributes:
        id: that it has in every line.
        trace_id: of the trace that it is part of; empty: of none.
        begun: when it came, by `time.perf_counter`.
    """

    id: str
    trace_id: str = ""
    begun: float = field(default_factory=time.perf_counter)


CURRENT_REQUEST: ContextVar[CurrentRequest | None] = ContextVar("current_request", default=None)
"""None outside of any request."""
_SPANS = "opentelemetry.exporter.otlp.proto.http.trace_exporter"


class JsonFormatter(logging.Formatter):
    """A record as JSON: `time`, `level`, `logger`, and what has happened.

    Of a request that was answered: `client`, `method`, `path`, `status`, and `seconds` until
    the answer began; of anything else `message`, and `exception`, a traceback, where there is
    one. `request_id` wherever there is a request, and `trace_id` where it is traced.
    """

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
        }
        current = CURRENT_REQUEST.get()
        if current:
            line["request_id"] = current.id
            if current.trace_id:
                line["trace_id"] = current.trace_id
        if record.name == "uvicorn.access" and isinstance(record.args, tuple):
            client, method, path, _, status = record.args
            line |= {"client": client, "method": method, "path": str(path).partition("?")[0]}
            line["status"] = status
            if current:
                line["seconds"] = round(time.perf_counter() - current.begun, 6)
        else:
            line["message"] = record.getMessage()
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)  # in ASCII: no character of it ends a line


class TextFormatter(DefaultFormatter):
    """uvicorn's, with the id of the request after what is said of an exception."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        """The line before the traceback."""
        line = super().formatMessage(record)
        current = CURRENT_REQUEST.get()
        return f"{line} [request_id {current.id}]" if record.exc_info and current else line


class SparingFilter(logging.Filter):
    """Lets each message pass once a minute, whatever it is filled in with.

    A collector of spans that is away would be told of several times in each attempt.
    """

    def __init__(self, every_s: float = 60) -> None:
        super().__init__()
        self._every_s = every_s
        self._passed_s: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether it is time."""
        last_s = self._passed_s.get(record.msg, -self._every_s)
        if record.created - last_s < self._every_s:
            return False
        self._passed_s[record.msg] = record.created
        return True


def log_config(form: Literal["text", "json"]) -> dict[str, Any]:
    """For `logging.config`: events go to standard error, requests to standard output."""
    config = copy.deepcopy(LOGGING_CONFIG)
    if form == "json":
        config["formatters"] = dict.fromkeys(
            ("default", "access"), {"()": "app.logs.JsonFormatter"}
        )
    else:
        config["formatters"]["default"]["()"] = "app.logs.TextFormatter"
    # What cannot be sent to a collector is an event like others.
    config["filters"] = {"sparing": {"()": "app.logs.SparingFilter"}}
    config["loggers"][_SPANS] = {"filters": ["sparing"]}
    config["loggers"]["opentelemetry"] = {
        "handlers": ["default"], "level": "WARNING", "propagate": False,
    }  # fmt: skip
    return config

"""Log lines: one line each, whatever is in them, with the request that they are of."""

import json
import logging
import sys

from hypothesis import given
from hypothesis import strategies as st

from app.logs import (
    CURRENT_REQUEST,
    CurrentRequest,
    JsonFormatter,
    SparingFilter,
    TextFormatter,
)


def record(message: str, *args: object, name: str = "uvicorn.error") -> logging.LogRecord:
    return logging.LogRecord(name, logging.ERROR, __file__, 1, message, args, None)


@given(st.text(), st.text())
def test_a_json_line_is_one_line_of_ascii_whatever_callers_send(path: str, said: str) -> None:
    access = record("%s", "1.2.3.4:5", "GET", path, "1.1", 200, name="uvicorn.access")
    for line in (JsonFormatter().format(access), JsonFormatter().format(record("%s", said))):
        assert line.isascii()
        assert len(line.splitlines()) == 1
        assert isinstance(json.loads(line), dict)


def test_a_request_is_told_with_its_id_and_without_its_query() -> None:
    token = CURRENT_REQUEST.set(CurrentRequest("abc"))
    try:
        access = record(
            "%s", "1.2.3.4:5", "GET", "/score?word=secret", "1.1", 200, name="uvicorn.access"
        )
        told = json.loads(JsonFormatter().format(access))
    finally:
        CURRENT_REQUEST.reset(token)
    assert told.pop("seconds") >= 0
    assert told.pop("time").endswith("+00:00")
    assert told == {
        "level": "error",
        "logger": "uvicorn.access",
        "request_id": "abc",
        "client": "1.2.3.4:5",
        "method": "GET",
        "path": "/score",
        "status": 200,
    }


def test_a_traceback_is_told_with_the_id_of_its_request_in_either_form() -> None:
    try:
        raise ValueError("a\nb")
    except ValueError:
        failed = record("it failed")
        failed.exc_info = sys.exc_info()
    token = CURRENT_REQUEST.set(CurrentRequest("abc"))
    try:
        told = json.loads(JsonFormatter().format(failed))
        text = TextFormatter("%(levelprefix)s %(message)s", use_colors=False).format(failed)
    finally:
        CURRENT_REQUEST.reset(token)
    assert (told["message"], told["request_id"]) == ("it failed", "abc")
    assert "ValueError: a\nb" in told["exception"]
    assert text.splitlines()[0].endswith("it failed [request_id abc]")


def test_outside_of_a_request_nothing_is_said_of_one() -> None:
    assert "request_id" not in json.loads(JsonFormatter().format(record("started")))


def test_what_is_said_again_and_again_is_told_once_a_minute_each() -> None:
    sparing = SparingFilter()
    told = []
    for second in range(0, 200, 5):
        for message in ("no answer from %s", "gave up"):
            said = record(message, second) if "%" in message else record(message)
            said.created = 1_000.0 + second
            if sparing.filter(said):
                told.append((second, message))
    assert [second for second, message in told if message == "gave up"] == [0, 60, 120, 180]
    assert len(told) == 8


def test_a_request_that_is_traced_is_told_with_its_trace() -> None:
    token = CURRENT_REQUEST.set(CurrentRequest("abc", "4bf92f3577b34da6a3ce929d0e0e4736"))
    try:
        told = json.loads(JsonFormatter().format(record("started")))
    finally:
        CURRENT_REQUEST.reset(token)
    assert told["trace_id"] == "4bf92f3577b34da6a3ce929d0e0e4736"

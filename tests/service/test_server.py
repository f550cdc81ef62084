"""What the server itself runs on."""

from pathlib import Path

import pytest

from tests.service.conftest import Service


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="the system has no /proc")
@pytest.mark.parametrize("library", ["/uvloop/loop.", "/httptools/parser/parser."])
def test_the_fast_event_loop_and_the_fast_parser_are_in_force(
    service: Service, library: str
) -> None:
    # uvicorn falls back to slower ones where it cannot import them, without a word.
    assert library in Path(f"/proc/{service.process.pid}/maps").read_text()

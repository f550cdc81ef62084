"""The id of a request: the caller's own where it is harmless, else one that no other has."""

import re

import pytest

from app.middleware import request_id_of


def test_ids_that_are_drawn_differ_however_many_there_are() -> None:
    drawn = [request_id_of(()) for _ in range(2000)]  # several times what is drawn at once
    assert len(set(drawn)) == 2000
    assert all(re.fullmatch("[0-9a-f]{16}", each) for each in drawn)


def test_a_callers_own_id_is_kept() -> None:
    headers = [(b"host", b"test"), (b"x-request-id", b"mine_1.2-3"), (b"x-request-id", b"other")]
    assert request_id_of(headers) == "mine_1.2-3"


@pytest.mark.parametrize("given", [b"", b"a" * 65, b"a b", b"a\n", "\u00e9".encode()])
def test_an_id_that_could_forge_a_line_is_replaced(given: bytes) -> None:
    assert re.fullmatch("[0-9a-f]{16}", request_id_of([(b"x-request-id", given)]))

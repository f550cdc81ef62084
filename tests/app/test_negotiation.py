"""What a caller would rather have, by the rules of RFC 9110."""

import pytest

from app.negotiation import accepts_encoding, best_media_type

OFFERED = ("application/json", "text/plain", "text/csv")


@pytest.mark.parametrize(
    ("accept", "best"),
    [
        ("", "application/json"),
        (" ", "application/json"),
        ("*/*", "application/json"),
        ("text/csv", "text/csv"),
        ("TEXT/CSV", "text/csv"),
        ("text/*", "text/plain"),
        ("application/*", "application/json"),
        ("text/csv, text/plain", "text/plain"),  # equals: ours comes first
        ("text/plain;q=0.5, text/csv", "text/csv"),
        ("text/plain ; Q=0.5 , text/csv;q=0.501", "text/csv"),
        ("text/csv;q=0.1, */*;q=0.01", "text/csv"),
        ("*/*, application/json;q=0", "text/plain"),
        ("text/*, text/plain;q=0.2", "text/csv"),
        ("text/html, application/xml;q=0.9, */*;q=0.8", "application/json"),
        ("text/csv;header=present", "text/csv"),
        ("text/csv;q=0.1, text/csv;header=present;q=0.9, text/plain;q=0.5", "text/csv"),
        ("image/png, text/csv;q=0.001", "text/csv"),
        ("image/png", None),
        ("text/csv;q=0", None),
        ("*/*;q=0", None),
        ("text/csv;q=0.000", None),
        ("text", None),
        ("csv", None),
        (",;,;q=1", None),
        ("text/csv;q=2", None),
        ("text/csv;q=-1", None),
        ("text/csv;q=nan", None),
        ("text/csv;q=0.1234", None),
        ("text/csv;q=", None),
        ("*/csv", None),
        ("\x00\xff", None),
    ],
)
def test_the_best_media_type_is_that_of_the_highest_weight(accept: str, best: str | None) -> None:
    assert best_media_type(accept, OFFERED) == best


def test_an_item_out_of_order_does_not_spoil_the_others() -> None:
    assert best_media_type(";;;, text/csv;q=x, text/plain;q=0.1", OFFERED) == "text/plain"


def test_a_header_of_a_megabyte_is_not_read() -> None:
    assert best_media_type("text/csv," * 100_000, OFFERED) is None


@pytest.mark.parametrize(
    ("header", "taken"),
    [
        ("", False),
        ("gzip", True),
        ("deflate, GZIP;q=0.5", True),
        ("*", True),
        ("br", False),
        ("gzip;q=0", False),
        ("gzip;q=0, *", False),
        ("xgzip", False),
        ("identity", False),
    ],
)
def test_gzip_is_taken_where_it_is_named_with_a_weight(header: str, taken: bool) -> None:
    assert accepts_encoding(header, "gzip") == taken

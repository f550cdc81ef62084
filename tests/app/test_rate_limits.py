"""Who counts as one caller."""

import pytest

from app.access import CALLER
from app.rate_limits import _caller


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("1.2.3.4", "1.2.3.4", True),
        ("1.2.3.4", "1.2.3.5", False),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:1.2.3.4", "1.2.3.4", True),
        ("unix", "", True),
    ],
)
def test_an_ipv6_network_counts_as_one_and_an_ipv4_address_too(
    one: str, other: str, same: bool
) -> None:
    callers = [_caller({"client": (host, 1)}) for host in (one, other)]
    assert (callers[0] == callers[1]) is same


def test_a_key_counts_whatever_the_address() -> None:
    assert _caller({"client": ("1.2.3.4", 1), CALLER: "ab"}) == _caller({CALLER: "ab"}) == "key:ab"


def test_no_address_at_all_is_a_caller_as_well() -> None:
    assert _caller({"client": None}) == "address:"

"""Requests damaged at random: they are answered or refused, never by an error, never in silence."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.service.conftest import Service, exchange
from tests.service.mutations import LAST, assert_harmless, mutations


def assert_no_harm(service: Service, seed: int, count: int) -> None:
    """Send `count` of them, each before a request that asks for the end."""
    damaged = mutations(seed, count)
    with ThreadPoolExecutor(16) as pool:  # those that never end take a second
        answered = list(pool.map(lambda sent: exchange(service.port, sent + LAST), damaged))
    for sent, received in zip(damaged, answered, strict=True):
        assert_harmless(sent, received)
    assert service.client.get("/livez").status_code == 200


def test_two_thousand_damaged_requests_do_no_harm(hasty: Service) -> None:
    assert_no_harm(hasty, 1, 2048)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 7))
def test_twenty_thousand_damaged_requests_do_no_harm(hasty: Service, seed: int) -> None:
    assert_no_harm(hasty, seed, 20_480)

"""The same seed, the same bytes: alone, in a crowd, with other workers and threads."""

import asyncio

import httpx
import pytest

from tests.service.conftest import Serve, Service

SEEDS = range(1000)
CROWD = 64


def path(seed: int) -> str:
    """A request of its own kind for each seed, so that unlike ones share the rows."""
    kinds = (
        "",
        "&scores=true",
        "&temperature=0.8&top_k=10",
        "&model=bigram",
        "&prefix=ma&max_length=9",
        "&offset=1000000000000",
        "&top_p=0.9",
        "&min_length=6&min_p=0.01",
        "&model=bigram&contains=zq&scores=true",
    )
    return f"/generate?n={1 + seed % 5}&seed={seed}{kinds[seed % len(kinds)]}"


def ask_one_by_one(service: Service, seeds: range) -> dict[int, bytes]:
    answers = {}
    for seed in seeds:
        response = service.client.get(path(seed))
        assert response.status_code == 200, response.text
        answers[seed] = response.content
    return answers


def ask_all_at_once(service: Service) -> dict[int, bytes]:
    async def ask() -> dict[int, bytes]:
        # A connection each: on a machine that is short of cores an idle one may be closed by
        # the server just when it is taken up again.
        limits = httpx.Limits(max_connections=CROWD, max_keepalive_connections=0)
        waiting = iter(SEEDS)
        answers: dict[int, bytes] = {}
        async with httpx.AsyncClient(
            base_url=service.client.base_url, limits=limits, timeout=120, trust_env=False
        ) as client:

            async def one_client() -> None:
                for seed in waiting:  # shared: each seed is asked for once
                    response = await client.get(path(seed))
                    assert response.status_code == 200, response.text
                    answers[seed] = response.content

            await asyncio.gather(*(one_client() for _ in range(CROWD)))
        return answers

    return asyncio.run(ask())


@pytest.fixture(scope="module")
def alone(service: Service) -> dict[int, bytes]:
    """What each seed gives when nothing else is going on; one worker, one thread."""
    return ask_one_by_one(service, SEEDS)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("workers", "threads", "tree_mb"), [(1, 1, 0), (1, 2, 64), (2, 1, 8), (2, 2, 64)]
)
def test_a_thousand_seeds_give_the_same_bytes_alone_and_in_a_crowd(
    alone: dict[int, bytes], serve: Serve, workers: int, threads: int, tree_mb: int
) -> None:
    assert len(set(alone.values())) == len(SEEDS)
    with serve(WORKERS=workers, THREADS=threads, TREE_MEMORY_MB=tree_mb) as service:
        assert ask_all_at_once(service) == alone
        some = SEEDS[::10]
        assert ask_one_by_one(service, some) == {seed: alone[seed] for seed in some}


def test_same_seed_gives_same_bytes_while_63_others_are_served(service: Service) -> None:
    few = range(0, 1000, 50)
    assert ask_one_by_one(service, few).items() <= ask_all_at_once(service).items()

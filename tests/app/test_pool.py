"""Names drawn ahead: each answer from the pool is one that its seed and offset give again."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from app.catalog import ServedModel
from app.lanes import Lane
from app.pool import Pool, PooledNames, PoolFiller
from models.checkpoint import load_checkpoint
from models.generation import generate
from models.request import Generated, GeneratedName, GenerationRequest


@pytest.fixture
def served(make_checkpoint: Callable[..., Path]) -> ServedModel:
    return ServedModel("tiny", load_checkpoint(make_checkpoint("transformer")), "cpu")


@pytest.fixture
def filler(served: ServedModel) -> Callable[[Pool], PoolFiller]:
    def make(pool: Pool) -> PoolFiller:
        return PoolFiller(pool, served, Lane(served, 0))

    return make


def fill(pool: Pool, filler: PoolFiller) -> None:
    while pool.wanted:
        filler.step()


def take_all(pool: Pool, sizes: list[int]) -> list[PooledNames]:
    return [taken for n in sizes if (taken := pool.take(n))]


def test_an_answer_from_the_pool_is_that_of_its_seed_and_offset(
    served: ServedModel, filler: Callable[[Pool], PoolFiller]
) -> None:
    pool = Pool(2000)
    fill(pool, filler(pool))
    taken = take_all(pool, [1, 20, 300, 7, 20, 1, 500, 1, 1000])
    assert len(taken) == 9
    passed_over = 0
    for pooled in taken:
        answer = generate(served.model, served.checkpoint.vocabulary, pooled.request)
        assert json.loads(b"[" + pooled.names + b"]") == [drawn.name for drawn in answer.names]
        assert pooled.next_offset == answer.next_offset
        assert pooled.acceptance_rate == answer.acceptance_rate
        assert pooled.exhausted == answer.exhausted
        passed_over += pooled.acceptance_rate < 1
    assert passed_over, "no draw was passed over: nothing was tested of those"


def test_no_name_is_given_twice(filler: Callable[[Pool], PoolFiller]) -> None:
    pool = Pool(3000)
    fill(pool, filler(pool))
    taken = take_all(pool, [1 + i % 40 for i in range(200)])
    indexes = [
        (pooled.request.seed, index)
        for pooled in taken
        for index in range(pooled.request.offset, pooled.next_offset)
    ]
    assert len({seed for seed, _ in indexes}) == 3
    assert len(set(indexes)) == len(indexes)
    assert pool.take(1) is None


@pytest.mark.parametrize(("size", "held"), [(0, 0), (1, 1), (999, 999), (1000, 1000), (2999, 2000)])
def test_the_pool_holds_no_more_than_its_size(
    filler: Callable[[Pool], PoolFiller], size: int, held: int
) -> None:
    pool = Pool(size)
    fill(pool, filler(pool))
    assert len(take_all(pool, [1] * (size + 1))) == held


def test_more_names_than_a_stretch_has_left_come_from_another_one(
    filler: Callable[[Pool], PoolFiller],
) -> None:
    pool = Pool(2000)
    fill(pool, filler(pool))
    first, second = take_all(pool, [600, 600])
    assert first.request.seed != second.request.seed
    assert first.request.offset == second.request.offset == 0
    assert pool.wanted


def test_more_names_than_any_stretch_has_leave_the_pool_as_it_is(
    filler: Callable[[Pool], PoolFiller],
) -> None:
    pool = Pool(100)
    fill(pool, filler(pool))
    assert pool.take(101) is None
    assert pool.take(100)


def test_a_stretch_that_is_given_up_half_drawn_leaves_the_sampler_free(
    served: ServedModel,
) -> None:
    pool, lane = Pool(1000), Lane(served, 0)
    filler = PoolFiller(pool, served, lane)
    filler.step()
    assert lane.sampler.busy
    filler.stop()
    assert not lane.sampler.busy
    fill(pool, filler)
    assert pool.take(1000)


def test_a_model_that_hardly_gives_names_has_no_pool() -> None:
    pool = Pool(1000)
    pool.add(
        GenerationRequest(1), Generated((GeneratedName("ab", 5, 1.0),), 11_000, True, 1 / 11_000)
    )
    assert not pool.wanted
    assert pool.take(1) is None


def test_names_that_a_request_of_its_own_would_not_find_in_its_budget_are_not_given() -> None:
    pool = Pool(1000)
    names = (GeneratedName("ab", 1200, 1.0), GeneratedName("cd", 1201, 1.0))
    pool.add(GenerationRequest(1), Generated(names, 1202, False, 2 / 1202))
    assert pool.take(1) is None

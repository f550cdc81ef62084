"""Requests one after the other: the same names and the same end, however they are cut."""

import pytest

from app.bulk import MAX_BARREN, Bulk, End
from models.request import MAX_OFFSET, Generated, GeneratedName, GenerationRequest

# Where a made-up stream has names: every third index, nothing for a while, and again.
INDEXES = [*range(10, 3000, 3), *range(60_000, 61_000), 61_000 + MAX_BARREN]
LAST = 60_999


def answer(request: GenerationRequest) -> Generated:
    """What a sampler would answer of that stream."""
    past = request.offset + request.budget
    found = [index for index in INDEXES if request.offset <= index < past][: request.n]
    exhausted = len(found) < request.n
    return Generated(
        names=tuple(GeneratedName(str(index), index, 1.0) for index in found),
        next_offset=past if exhausted else found[-1] + 1,
        exhausted=exhausted,
        acceptance_rate=0.5,
    )


def drawn(bulk: Bulk, sizes: list[int]) -> list[int]:
    """The indexes of all names, asked for so many at a time."""
    found = []
    for turn in range(10_000):
        if bulk.end:
            return found
        request = bulk.request(sizes[turn % len(sizes)])
        assert request.n <= sizes[turn % len(sizes)]
        found += [name.index for name in bulk.take(answer(request))]
    raise AssertionError("no end")


@pytest.mark.parametrize("sizes", [[1], [16, 32, 64], [1000], [7, 1000]])
def test_an_endless_request_ends_where_too_many_draws_give_no_name(sizes: list[int]) -> None:
    bulk = Bulk(GenerationRequest(seed=1), None)
    assert drawn(bulk, sizes) == INDEXES[:-1]
    assert bulk.end is End.EXHAUSTED
    assert bulk.next_offset == LAST + 1 + MAX_BARREN
    assert bulk.sent == len(INDEXES) - 1


@pytest.mark.parametrize("sizes", [[1], [16, 32, 64], [1000]])
@pytest.mark.parametrize("n", [1, 16, 17, 1500])
def test_a_counted_request_ends_after_its_last_name(n: int, sizes: list[int]) -> None:
    bulk = Bulk(GenerationRequest(seed=1), n)
    assert drawn(bulk, sizes) == INDEXES[:n]
    assert bulk.end is End.COMPLETE
    assert (bulk.sent, bulk.next_offset) == (n, INDEXES[n - 1] + 1)


@pytest.mark.parametrize("cut", [1, 990, 1200])
def test_a_request_that_is_resumed_after_a_name_gives_the_rest_and_the_same_end(cut: int) -> None:
    after = GenerationRequest(seed=1, offset=INDEXES[cut - 1] + 1)
    rest, whole = Bulk(after, None, sent=cut), Bulk(GenerationRequest(seed=1), None)
    assert drawn(rest, [50]) == drawn(whole, [1000])[cut:]
    assert (rest.sent, rest.next_offset, rest.end) == (whole.sent, whole.next_offset, whole.end)


def test_a_request_ends_at_the_last_index_there_is() -> None:
    bulk = Bulk(GenerationRequest(seed=1, offset=MAX_OFFSET), None)
    assert bulk.end is None
    name = GeneratedName("a", MAX_OFFSET, 1.0)
    bulk.take(Generated((name,), MAX_OFFSET + 1, False, 1.0))
    assert bulk.end is End.EXHAUSTED


def test_every_request_keeps_the_parameters_of_the_whole() -> None:
    whole = GenerationRequest(seed=5, offset=60_000, prefix="ma", min_length=3, max_length=9)
    bulk = Bulk(whole, 25)
    bulk.take(answer(bulk.request(20)))
    assert bulk.request(20) == GenerationRequest(
        seed=5, n=5, offset=60_020, prefix="ma", min_length=3, max_length=9
    )

"""What is drawn at a range of indexes is what the stream has there, whatever the conditions."""

import pytest

from app.catalog import ServedModel, load_one
from app.names_query import to_request
from app.settings import Settings
from bulk.drawing import draw_range
from bulk.options import GenerateOptions
from models.generation import Sampler
from models.request import GenerationRequest, Job

SERVED = load_one(Settings(default_model="bigram"), None)
CONDITIONS: dict[str, dict[str, str]] = {
    "none": {},
    "scores": {"scores": "true"},
    "sampling": {"temperature": "0.8", "top_k": "10"},
    "lengths": {"min_length": "4", "max_length": "6"},
    "prefix": {"prefix": "ma"},
    "often": {"contains": "a", "novel": "true"},
    "rare": {"suffix": "anna", "pattern": "j*"},
    "never": {"temperature": "0", "suffix": "q"},
}


NET = load_one(Settings(), "gru")


def request(**given: str) -> GenerationRequest:
    options = GenerateOptions.model_validate({"n": "1", "seed": "7", "out": "x"} | given)
    return to_request(options, SERVED)


def drawn(
    wanted: GenerationRequest, first: int, count: int, served: ServedModel = SERVED
) -> list[tuple[int, str, str]]:
    sampler = Sampler(served.model, served.checkpoint.vocabulary)
    chunks = draw_range(sampler, served, wanted, first, count)
    return [(each.index, each.name, str(each.nll)) for names in chunks for each in names]


def asked_for(
    wanted: GenerationRequest, first: int, count: int, served: ServedModel = SERVED
) -> list[tuple[int, str, str]]:
    """The same by requests as the service has them, one after the other."""
    sampler = Sampler(served.model, served.checkpoint.vocabulary)
    found, offset = [], first
    while offset < first + count:
        job: Job = served.job(GenerationRequest(**vars(wanted) | {"n": 500, "offset": offset}))
        sampler.add(job)
        while not job.done:
            sampler.step()
        answer = job.result()
        found += answer.names
        offset = answer.next_offset
    return [(each.index, each.name, str(each.nll)) for each in found if each.index < first + count]


@pytest.mark.parametrize("given", CONDITIONS.values(), ids=CONDITIONS)
def test_a_range_has_the_names_of_the_stream(given: dict[str, str]) -> None:
    wanted = request(**given)
    assert drawn(wanted, 123, 11_000) == asked_for(wanted, 123, 11_000)


def test_so_it_has_of_a_net_whose_tree_learns_meanwhile() -> None:
    wanted = request()
    assert drawn(wanted, 123, 12_000, NET) == asked_for(wanted, 123, 12_000, NET)


@pytest.mark.parametrize("given", CONDITIONS.values(), ids=CONDITIONS)
def test_ranges_that_adjoin_have_what_the_whole_has(given: dict[str, str]) -> None:
    wanted = request(**given)
    parts = [drawn(wanted, first, 700) for first in range(0, 2100, 700)]
    assert [name for part in parts for name in part] == drawn(wanted, 0, 2100)


def test_without_conditions_nearly_every_index_gives_a_name() -> None:
    names = drawn(request(), 0, 5000)
    assert 4990 < len(names) <= 5000


def test_the_last_index_of_a_stream_can_be_drawn() -> None:
    assert [index for index, *_ in drawn(request(), 9 * 10**15, 1)] == [9 * 10**15]


def test_a_range_that_was_given_up_leaves_nothing_to_the_next() -> None:
    wanted = request()
    sampler = Sampler(SERVED.model, SERVED.checkpoint.vocabulary)
    given_up = draw_range(sampler, SERVED, wanted, 0, 40_000)
    next(given_up)
    given_up.close()  # type: ignore[attr-defined]
    assert not sampler.busy
    later = draw_range(sampler, SERVED, wanted, 50, 100)
    assert [name.name for names in later for name in names] == [
        name for _, name, _ in drawn(wanted, 50, 100)
    ]

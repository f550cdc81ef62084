"""What docs/scaling.md reckons with agrees with what is known, and with chance played out."""

import random
import statistics
from itertools import pairwise

import pytest

from benchmarks.queueing import Service, kept_answers, kept_share, waits, zipf

ALONE = Service(each_s=0.002, pass_s=0.003)


def test_a_service_is_what_was_measured_of_it() -> None:
    service = Service.measured(alone_s=0.005, crowd_s=0.0021875)
    assert (service.each_s, service.pass_s) == (pytest.approx(0.002), pytest.approx(0.003))
    assert service.told == "--alone-ms 5.0 --crowd-ms 2.19"


@pytest.mark.parametrize("fewest", [True, False])
def test_where_there_is_hardly_anything_to_do_no_one_waits_for_others(fewest: bool) -> None:
    found = waits(2, 0.5, ALONE, fewest=fewest, requests=2000)
    assert statistics.median(found) == pytest.approx(0.005)


def test_one_whose_passes_take_the_same_for_all_lets_each_wait_for_half_a_pass_and_its_own() -> (
    None
):
    found = waits(1, 5000, Service(each_s=0, pass_s=0.1), fewest=True, requests=50_000)
    assert statistics.fmean(found) == pytest.approx(0.15, rel=0.02)


def test_more_replicas_and_a_better_choice_are_waited_for_less() -> None:
    def mean(replicas: int, *, fewest: bool) -> float:
        return statistics.fmean(waits(replicas, 800, ALONE, fewest=fewest, requests=50_000))

    means = [mean(replicas, fewest=fewest) for replicas in (2, 4) for fewest in (False, True)]
    assert all(one > other for one, other in pairwise(means))


def test_of_one_address_a_cache_answers_all_but_the_first_in_each_time() -> None:
    assert kept_share([1], per_s=3, age_s=2) == pytest.approx(6 / 7)
    assert kept_answers([1], per_s=3, age_s=2) == pytest.approx(6 / 7)


def test_what_a_cache_answers_and_has_is_what_comes_of_chance() -> None:
    likely, per_s, age_s, count = zipf(500), 100, 2, 100_000
    chance = random.Random(1)
    until, answered, had_s, now = {}, 0, 0.0, 0.0
    for address in chance.choices(range(len(likely)), likely, k=count):
        now += chance.expovariate(per_s)
        if until.get(address, 0) > now:
            answered += 1
        else:
            until[address] = now + age_s
            had_s += age_s
    assert answered / count == pytest.approx(kept_share(likely, per_s, age_s), abs=0.01)
    assert had_s / now == pytest.approx(kept_answers(likely, per_s, age_s), rel=0.02)

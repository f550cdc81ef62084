"""Rare conditions drawn directly: the promise of a seed, and requests beside one another."""

from dataclasses import replace

import pytest

from models.conditions import Conditions
from models.generation import Sampler, generate
from models.request import MAX_JOB_NAMES, GenerationRequest, Job
from models.sampling import SamplingParams
from tests.models.conftest import exactly, names_of
from tests.models.test_rare import RARE, served


def finish(sampler, job):
    sampler.add(job)
    while not job.done:
        sampler.step()
    return job.result()


def test_a_seed_gives_the_rare_names_that_it_always_gave():
    request = GenerationRequest(7, 5, conditions=Conditions(pattern="*qq*qq*"))
    assert names_of(generate(*served(), request)) == [
        "vaqquqqfiaakialen",
        "kauruslamuqqqqurydi",
        "areniqqqqisi",
        "kalalanaiqquqqunan",
        "iqqqqunierendwah",
    ]


@pytest.mark.parametrize("conditions", [Conditions(contains="zqz"), RARE[4]], ids=str)
def test_ten_thousand_names_come_in_pages_as_in_one(conditions):
    whole = generate(*served(), GenerationRequest(3, MAX_JOB_NAMES, conditions=conditions))
    assert [each.index for each in whole.names] == list(range(MAX_JOB_NAMES))
    sampler = Sampler(*served())
    pages, offset = [], 0
    while len(pages) < MAX_JOB_NAMES:
        n = min(MAX_JOB_NAMES - len(pages), 1 + len(pages) % 997)
        request = GenerationRequest(3, n, offset, conditions=conditions)
        page = finish(sampler, Job(request, *served()))
        pages += page.names
        offset = page.next_offset
    assert tuple(pages) == whole.names
    assert offset == whole.next_offset


REQUESTS = [
    GenerationRequest(1, 300, conditions=Conditions(contains="zqz")),
    GenerationRequest(1, 20, conditions=Conditions(contains="zqz")),
    GenerationRequest(1, 50, conditions=Conditions(contains="zqz"), sampling=SamplingParams(0.7)),
    GenerationRequest(2, 100),
    GenerationRequest(2, 40, conditions=Conditions(suffix="a")),
    GenerationRequest(3, 30, 10**15, conditions=Conditions(pattern="m??q*a")),
    GenerationRequest(3, 30, prefix="ma", conditions=Conditions(exclude="a?,e,i", suffix="q")),
    GenerationRequest(4, 10, conditions=Conditions(pattern="??????", exclude="a,e,i,o,n")),
]


@pytest.mark.parametrize("tree_bytes", [0, 4000, 1 << 20])
def test_requests_that_share_a_sampler_get_the_bytes_that_each_gets_alone(tree_bytes):
    alone = [exactly(generate(*served(), request)) for request in REQUESTS]
    assert alone[1] == alone[0][:20]
    for pause in (0, 1, 7):
        sampler = Sampler(*served(), tree_bytes)
        jobs = [Job(request, *served()) for request in REQUESTS]
        for job in jobs:
            sampler.add(job)
            for _ in range(pause):
                sampler.step()
        while sampler.busy:
            sampler.step()
        assert [exactly(job.result()) for job in jobs] == alone


@pytest.mark.parametrize("steps", range(6))
def test_removing_a_job_at_any_time_changes_no_other(steps):
    expected = exactly(generate(*served(), REQUESTS[0]))
    sampler = Sampler(*served())
    unwanted = [Job(replace(each, n=1000), *served()) for each in REQUESTS]
    kept = Job(REQUESTS[0], *served())
    for job in [*unwanted[:4], kept, *unwanted[4:]]:
        sampler.add(job)
    for _ in range(steps):
        sampler.step()
    for job in unwanted:
        if not job.done:
            sampler.remove(job)
    while not kept.done:
        sampler.step()
    assert exactly(kept.result()) == expected
    assert not sampler.busy


def test_after_a_step_that_failed_a_request_is_answered_as_ever(monkeypatch):
    sampler = Sampler(*served())
    with monkeypatch.context() as patch:
        patch.setattr("models.rare.build_chain", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            finish(sampler, Job(REQUESTS[0], *served()))
    sampler.clear()
    assert not sampler.busy
    again = finish(sampler, Job(REQUESTS[0], *served()))
    assert exactly(again) == exactly(generate(*served(), REQUESTS[0]))


def test_a_long_job_does_not_starve_a_short_one():
    sampler = Sampler(*served())
    long = [
        Job(GenerationRequest(seed, 10_000, conditions=Conditions(contains="zqz")), *served())
        for seed in range(3)
    ]
    for job in long:
        sampler.add(job)
    for _ in range(20):
        sampler.step()
    rare = Job(GenerationRequest(9, 5, conditions=Conditions(suffix="qq")), *served())
    plain = Job(GenerationRequest(9, 5), *served())
    sampler.add(rare)
    sampler.add(plain)
    sampler.step()
    assert plain.done
    for _ in range(60):
        sampler.step()
    assert rare.done
    assert not any(job.done for job in long)


@pytest.mark.parametrize("suffix", ["a", "qx"], ids=["common", "rare"])
def test_a_job_is_completed_once_also_where_it_ends_in_the_step_that_decides(suffix):
    sampler, completed = Sampler(*served()), []
    for seed in range(20):
        conditions = Conditions(suffix=suffix)
        job = Job(GenerationRequest(seed, n=1, conditions=conditions), *served())
        sampler.add(job)
        while sampler.busy:
            completed += sampler.step()
        assert job.done
    assert len(completed) == len(set(completed)) == 20

"""Requests that share a sampler: each gets what it gets alone, and its turn."""

import pytest

from models.generation import Sampler, generate
from models.request import MAX_NAMES, GenerationRequest, Job
from models.rows import ROWS
from models.sampling import SamplingParams
from tests.models.conftest import each_architecture, exactly


def run(sampler: Sampler, *jobs: Job) -> None:
    for job in jobs:
        sampler.add(job)
    while not all(job.done for job in jobs):
        sampler.step()


# ---------------------------------------------------------------- the promise


@each_architecture
def test_requests_that_share_a_sampler_get_the_bytes_that_each_gets_alone(architecture, make_model):
    served = make_model(architecture)
    requests = [
        GenerationRequest(1, n=30),
        GenerationRequest(1, n=30, sampling=SamplingParams(temperature=0.7)),
        GenerationRequest(1, n=5, prefix="abc"),
        GenerationRequest(2, n=50, sampling=SamplingParams(2.0, top_k=3)),
        GenerationRequest(2, n=20, min_length=5),
        GenerationRequest(3, n=1, offset=10**15),
        GenerationRequest(3, n=10, sampling=SamplingParams(0.0)),
        GenerationRequest(4, n=40, max_length=3, sampling=SamplingParams(top_p=0.9, min_p=0.05)),
    ]
    alone = [generate(*served, request) for request in requests]
    for arrivals in ([0] * 8, range(8), range(0, 80, 10)):
        sampler = Sampler(*served)
        jobs = [Job(request, *served) for request in requests]
        waiting = list(zip(arrivals, jobs, strict=True))
        completed: list[Job] = []
        steps = 0
        while len(completed) < len(jobs):
            while waiting and waiting[0][0] <= steps:
                sampler.add(waiting.pop(0)[1])
            completed += sampler.step()
            steps += 1
        assert not sampler.busy
        for job, expected in zip(jobs, alone, strict=True):
            assert exactly(job.result()) == exactly(expected)
            assert job.result() == expected


@each_architecture
def test_removing_a_job_frees_its_rows_and_changes_no_other(architecture, make_model):
    served = make_model(architecture)
    request = GenerationRequest(5, n=50)
    alone = generate(*served, request)
    sampler = Sampler(*served)
    unwanted = [Job(GenerationRequest(seed, n=1000), *served) for seed in range(4)]
    for job in unwanted:
        sampler.add(job)
    for _ in range(3):
        sampler.step()
    kept = Job(request, *served)
    sampler.add(kept)
    sampler.step()
    for job in unwanted:
        if not job.done:
            sampler.remove(job)
    while not kept.done:
        sampler.step()
    assert exactly(kept.result()) == exactly(alone)
    assert not sampler.busy


@each_architecture
def test_rows_that_idle_for_many_steps_stay_within_the_models_context(architecture, make_model):
    served = make_model(architecture, block_size=5)
    sampler = Sampler(*served)
    request = GenerationRequest(9, n=3, min_length=2)
    expected = exactly(generate(*served, request))
    for _ in range(30):  # 3 rows at work, 29 idle
        job = Job(request, *served)
        run(sampler, job)
        assert exactly(job.result()) == expected
    for _ in range(100):  # nothing to do at all
        assert sampler.step() == []
    job = Job(request, *served)
    run(sampler, job)
    assert exactly(job.result()) == expected


@each_architecture
@pytest.mark.parametrize(
    "sizes",
    [{}, {"block_size": 16, "n_layer": 4, "n_head": 4, "n_embd": 64, "n_embd2": 64}],
    ids=["tiny", "makemore"],
)
def test_a_name_does_not_depend_on_the_row_that_it_is_drawn_in(architecture, sizes, make_model):
    served = make_model(architecture, **sizes)
    request = GenerationRequest(11, n=1, min_length=4)
    expected = exactly(generate(*served, request))
    jobs = [Job(request, *served) for _ in range(ROWS)]
    run(Sampler(*served), *jobs)
    assert [exactly(job.result()) for job in jobs] == [expected] * ROWS


# ---------------------------------------------------------------- fairness


def steps_until_done(sampler: Sampler, job: Job, at_most: int) -> int:
    for steps in range(at_most):
        if job.done:
            return steps
        sampler.step()
    return at_most


def test_a_long_job_does_not_starve_a_short_one(make_model):
    served = make_model("transformer")
    sampler = Sampler(*served)
    long = Job(GenerationRequest(1, n=MAX_NAMES), *served)
    sampler.add(long)
    for _ in range(5):
        sampler.step()
    # Its one draw waits for a row at most, and has then as many characters to go.
    request = GenerationRequest(2, n=1)
    index = generate(*served, request).next_offset - 1
    short = Job(request, *served)
    sampler.add(short)
    full = served[0].config.block_size
    assert steps_until_done(sampler, short, 1000) <= full + (index + 1) * full
    assert not long.done


def test_jobs_that_run_in_step_with_the_turns_starve_no_other(chain):
    # Names that never end keep all rows for 64 steps, while 64 jobs take turns: where the
    # turns are not handed on by who had one, the same 32 jobs find the free rows each time.
    served = chain({"": "a", "a": "a", "b": "."})
    endless = GenerationRequest(1, n=1, max_length=63)
    sampler = Sampler(*served)
    for _ in range(40):
        sampler.add(Job(endless, *served))
    short = Job(GenerationRequest(1, n=1, prefix="b"), *served)
    sampler.add(short)
    for _ in range(23):
        sampler.add(Job(endless, *served))
    assert steps_until_done(sampler, short, 1000) <= 3 * 64


def test_rows_are_dealt_to_jobs_one_each_in_turn(chain):
    # Every name of this model takes two steps, so four jobs get 8 names each every other step.
    served = chain({"": "a", "a": "."})
    sampler = Sampler(*served, tree_bytes=0)
    jobs = [Job(GenerationRequest(seed, n=ROWS), *served) for seed in range(4)]
    for job in jobs:
        sampler.add(job)
    completed = [len(sampler.step()) for _ in range(8)]
    assert completed == [0, 0, 0, 0, 0, 0, 0, 4]

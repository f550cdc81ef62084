"""The worker thread, with real models and a real event loop."""

import asyncio
import itertools
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from app.catalog import ServedModel, share_out
from app.engine import Engine
from app.errors import DeadlineExceededError, EngineStoppedError, OverloadedError
from models.checkpoint import load_checkpoint
from models.generation import generate
from models.request import GenerationRequest
from models.scoring import score

LONG = GenerationRequest(seed=1, n=1000)
WORDS = ["".join(word) for word in itertools.product("gfedcba", repeat=5)][:16000:16]


@pytest.fixture
def served(make_checkpoint: Callable[..., Path]) -> ServedModel:
    return ServedModel("tiny", load_checkpoint(make_checkpoint("transformer")), "cpu")


async def cancel(task: "asyncio.Task[object]") -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_names_and_scores_asked_for_together_are_those_asked_for_alone(
    served: ServedModel,
) -> None:
    requests = [GenerationRequest(seed=seed, n=1 + seed % 7) for seed in range(40)]
    words = [["ab", "c"], ["gfedcba"] * 70]

    async def ask() -> list[object]:
        engine = Engine([served], queue_size=100)
        engine.start()
        answers = await asyncio.gather(
            *(engine.generate(served, request) for request in requests),
            *(engine.score(served, some, "words") for some in words),
        )
        engine.stop()
        return list(answers)

    vocabulary = served.checkpoint.vocabulary
    alone: list[object] = [generate(served.model, vocabulary, request) for request in requests]
    alone += [score(served.model, vocabulary, some) for some in words]
    assert asyncio.run(ask()) == alone


def test_one_request_too_many_is_refused_and_the_place_is_free_again_afterwards(
    served: ServedModel,
) -> None:
    async def ask() -> None:
        engine = Engine([served], queue_size=1)
        engine.start()
        first = asyncio.create_task(engine.generate(served, LONG))
        await asyncio.sleep(0)
        with pytest.raises(OverloadedError):
            await engine.generate(served, GenerationRequest(seed=2, n=1))
        assert len((await first).names) == 1000
        assert len((await engine.generate(served, GenerationRequest(seed=2, n=1))).names) == 1
        engine.stop()

    asyncio.run(ask())


def test_a_stopped_engine_refuses_at_once_instead_of_letting_requests_hang(
    served: ServedModel,
) -> None:
    engine = Engine([served], queue_size=1)
    engine.start()
    engine.check_alive()
    engine.stop()
    with pytest.raises(EngineStoppedError):
        engine.check_alive()
    with pytest.raises(EngineStoppedError):
        asyncio.run(engine.generate(served, GenerationRequest(seed=1)))


def test_a_cancelled_request_frees_its_place_and_its_rows(served: ServedModel) -> None:
    async def ask() -> None:
        engine = Engine([served], queue_size=3)
        engine.start()
        for work in (
            engine.generate(served, LONG),
            engine.score(served, WORDS, "words"),
        ):
            task: asyncio.Task[object] = asyncio.create_task(work)
            while not engine._busy:
                await asyncio.sleep(0)
            await cancel(task)
            while engine._busy:
                await asyncio.sleep(0)
        answer = await engine.generate(served, GenerationRequest(seed=3, n=5))
        assert len(answer.names) == 5
        assert not engine._busy
        engine.stop()

    asyncio.run(ask())


def test_a_request_past_its_deadline_fails_and_frees_its_rows(served: ServedModel) -> None:
    async def ask() -> None:
        engine = Engine([served], queue_size=10, deadline_s=0.001)
        engine.start()
        answers = await asyncio.gather(
            engine.generate(served, LONG),
            engine.score(served, WORDS, "words"),
            return_exceptions=True,
        )
        assert [type(answer) for answer in answers] == [DeadlineExceededError] * 2
        assert engine._pending == 0
        while engine._busy:
            await asyncio.sleep(0.01)
        engine.stop()

    asyncio.run(ask())


def test_answers_that_are_ready_together_wake_the_event_loop_once(
    served: ServedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    settled: list[int] = []

    async def ask() -> None:
        engine = Engine([served], queue_size=100)
        sampler = engine.samplers[served.id]
        loop, all_queued, step = asyncio.get_running_loop(), threading.Event(), sampler.step
        call_soon_threadsafe = loop.call_soon_threadsafe

        def count(callback: Callable[..., None], outcomes: list[object]) -> asyncio.Handle:
            settled.append(len(outcomes))
            return call_soon_threadsafe(callback, outcomes)

        monkeypatch.setattr(loop, "call_soon_threadsafe", count)
        monkeypatch.setattr(sampler, "step", lambda **how: step(**how) if all_queued.wait() else [])
        engine.start()
        request = GenerationRequest(seed=1, n=1)
        asked = [asyncio.create_task(engine.generate(served, request)) for _ in range(20)]
        await asyncio.sleep(0)
        all_queued.set()
        await asyncio.gather(*asked)
        engine.stop()

    asyncio.run(ask())
    assert sum(settled) == 20
    assert max(settled) >= 10


def test_who_is_patient_lets_others_go_first(
    make_checkpoint: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    kinds = ("gru", "transformer")
    both = [ServedModel(kind, load_checkpoint(make_checkpoint(kind)), "cpu") for kind in kinds]
    gru, transformer = both
    monkeypatch.setattr("app.engine.PATIENCE_S", 3600)

    async def ask() -> list[str]:
        engine = Engine(both, queue_size=100)
        ended: list[str] = []

        async def generate_in(served: ServedModel, n: int, patient: bool) -> None:
            request = GenerationRequest(seed=1, n=n)
            generated = await engine.generate(served, request, patient=patient)
            assert len(generated.names) == n
            ended.append(f"{served.id}, {'patient' if patient else 'not'}")

        engine.start()
        works = [(transformer, 1000, False), (gru, 1, True), (transformer, 1, True)]
        await asyncio.gather(*(generate_in(*work) for work in works))
        engine.stop()
        return ended

    # Of a model that someone else waits for, it is drawn with his.
    first, *_, last = asyncio.run(ask())
    assert (first, last) == ("transformer, patient", "gru, patient")


def test_who_is_patient_is_not_so_for_ever(
    make_checkpoint: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    kinds = ("gru", "transformer")
    both = [ServedModel(kind, load_checkpoint(make_checkpoint(kind)), "cpu") for kind in kinds]
    gru, transformer = both
    monkeypatch.setattr("app.engine.PATIENCE_S", 3600)  # never, while there is something else

    async def ask() -> None:
        engine = Engine(both, queue_size=100, deadline_s=30)
        engine.start()

        async def keep_busy(n: int) -> None:
            while True:
                await engine.generate(transformer, GenerationRequest(seed=1, n=n))

        # They never end all at once, so there is no moment without one.
        others = [asyncio.create_task(keep_busy(n)) for n in (1000, 901, 802, 703)]
        await asyncio.sleep(0)
        await engine.generate(gru, GenerationRequest(seed=1, n=1), patient=True)  # by its deadline
        for each in others:
            await cancel(each)
        engine.stop()

    monkeypatch.setattr("app.engine.PATIENT_FOR", 1 / 30)
    asyncio.run(ask())


def test_a_model_that_fails_fails_its_requests_and_the_thread_lives_on(
    served: ServedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def ask() -> None:
        engine = Engine([served], queue_size=10)
        engine.start()
        with monkeypatch.context() as broken:
            # As when a device is lost: nothing can be computed or allocated on it.
            broken.setattr(type(served.model), "step", lambda *_: 1 / 0)
            broken.setattr(type(served.model), "initial_state", lambda *_: 1 / 0)
            answers = await asyncio.gather(
                engine.generate(served, GenerationRequest(seed=1)),
                engine.generate(served, GenerationRequest(seed=2)),
                engine.score(served, ["ab"], "words"),
                return_exceptions=True,
            )
        assert [type(answer) for answer in answers] == [ZeroDivisionError] * 3
        assert len((await engine.generate(served, GenerationRequest(seed=1))).names) == 10
        engine.stop()

    asyncio.run(ask())


@pytest.mark.parametrize("tree_bytes", [0, 100_000])
def test_while_there_is_nothing_to_do_the_default_models_tree_is_filled(
    served: ServedModel, tree_bytes: int
) -> None:
    request = GenerationRequest(seed=4, n=30)

    async def ask() -> object:
        engine = Engine([served], 10, tree_bytes=tree_bytes, default=served.id)
        engine.start()
        early = await engine.generate(served, request)
        while engine._leisure.growing:
            await asyncio.sleep(0.01)
        assert engine.samplers[served.id].grown
        assert await engine.generate(served, request) == early
        engine.stop()
        return early

    assert asyncio.run(ask()) == generate(served.model, served.checkpoint.vocabulary, request)


def test_a_default_model_that_fails_unasked_is_left_in_peace_and_can_be_asked(
    served: ServedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def ask() -> None:
        engine = Engine([served], 10, tree_bytes=100_000, default=served.id)
        with monkeypatch.context() as broken:
            broken.setattr(type(served.model), "step", lambda *_: 1 / 0)
            engine.start()
            while engine._leisure.growing:
                await asyncio.sleep(0.01)
        assert len((await engine.generate(served, GenerationRequest(seed=1))).names) == 10
        engine.stop()

    asyncio.run(ask())


def test_the_default_model_has_most_of_the_trees_memory_and_the_others_share_the_rest() -> None:
    assert share_out(90, ["a"], "a") == {"a": 90}
    assert share_out(96, ["a", "b", "c", "d"], "b") == {"a": 8, "b": 72, "c": 8, "d": 8}
    assert share_out(90, ["a", "b"], None) == {"a": 45, "b": 45}

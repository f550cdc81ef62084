"""Names under rare conditions, of models with a short memory: drawn directly, as promised."""

from collections import Counter
from dataclasses import replace
from functools import cache

import pytest

from models.conditions import Conditions
from models.generation import Sampler, generate
from models.request import RARE_DRAWS, GenerationRequest, Job
from models.sampling import SamplingParams
from tests.exact import bundled, by_length, chi_square
from tests.models.conftest import names_of
from tests.models.test_conditions import drawn, spelled

SHORT = 4
RARE = [
    Conditions(suffix="q"),
    Conditions(contains="zz"),
    Conditions(pattern="?a*i?"),
    Conditions(pattern="?x?*", exclude="a,e"),
    Conditions(suffix="h", contains="yd", pattern="??*"),
]


@cache
def served(model_id="bigram"):
    checkpoint = bundled(model_id)
    return checkpoint.model, checkpoint.vocabulary


def rejected(served, request, monkeypatch):
    """The answer where nothing counts as rare."""
    with monkeypatch.context() as patch:
        patch.setattr("models.rare.RARE", 0)
        return generate(*served, request)


# ---------------------------------------------------------------- which names


@cache
def short_names(sampling: SamplingParams) -> dict[str, float]:
    """Every name of at most SHORT characters of the bundled bigram, with its probability."""
    model, vocabulary = served()
    found = {}
    for prefixes, _, ending in by_length(model, sampling, SHORT, 1e-12):
        for prefix, prob in zip(prefixes.tolist(), ending.tolist(), strict=True):
            found[vocabulary.decode(prefix)] = prob
    del found[""]
    return found


@pytest.mark.parametrize(
    "sampling",
    [SamplingParams(), SamplingParams(1.5, top_k=20), SamplingParams(0.8, top_p=0.999)],
    ids=str,
)
@pytest.mark.parametrize("conditions", RARE, ids=str)
def test_names_are_distributed_as_the_model_conditioned(conditions, sampling):
    exact = {n: p for n, p in short_names(sampling).items() if spelled(conditions, n)}
    assert sum(exact.values()) < 1 / 32
    request = GenerationRequest(
        20261122, 10_000, sampling=sampling, max_length=SHORT, conditions=conditions, scores=False
    )
    answer = generate(*served(), request)
    assert answer.next_offset == 10_000  # every draw does
    counts = Counter(names_of(answer))
    likeliest = sorted(exact, key=lambda name: -exact[name])[:500]
    total = sum(exact.values())
    observed = [counts[name] for name in likeliest]
    # A right sampler fails one of these 15 with probability 0.0015, and then always.
    assert chi_square(observed, [exact[name] / total for name in likeliest], 10_000) > 1e-4
    assert all(spelled(conditions, name) for name in counts)


def test_a_model_of_two_characters_memory_is_conditioned_exactly(make_model):
    few = model, vocabulary = make_model("mlp", alphabet="abc", block_size=2)
    *_, (prefixes, _, ending) = by_length(model, SamplingParams(), 5)
    names = map(vocabulary.decode, prefixes.tolist())
    every = dict(zip(names, ending.tolist(), strict=True))
    conditions = Conditions(pattern="?b?c?", exclude="aa")
    exact = {name: prob for name, prob in every.items() if spelled(conditions, name)}
    assert sum(exact.values()) < 1 / 32
    answer = generate(*few, GenerationRequest(1, 10_000, conditions=conditions))
    assert answer.acceptance_rate == 1
    counts, total = Counter(names_of(answer)), sum(exact.values())
    observed, expected = [counts[name] for name in exact], [p / total for p in exact.values()]
    assert chi_square(observed, expected, 10_000) > 1e-4
    assert set(counts) <= set(exact)


@pytest.mark.parametrize("architecture", ["bigram", "neural-bigram", "mlp"])
@pytest.mark.parametrize("prefix", ["", "a", "ab"])
def test_nlls_are_those_of_the_same_names_without_conditions(
    architecture, prefix, make_model, monkeypatch
):
    monkeypatch.setattr("models.rare.RARE", 1)  # whatever it is, it is rare
    few = make_model(architecture, alphabet="abc", block_size=2)
    request = GenerationRequest(1, 3000, prefix=prefix)
    plain = {each.name: each.nll for each in generate(*few, request).names}
    rare = generate(*few, replace(request, seed=2, conditions=Conditions(pattern="??c?")))
    assert rare.acceptance_rate == 1
    shared = [each for each in rare.names if each.name in plain]
    assert shared
    assert all(each.nll.hex() == plain[each.name].hex() for each in shared)


def test_names_of_any_length_are_as_in_their_conditions():
    limits = {"min_length": 40, "max_length": 50}
    request = GenerationRequest(3, 300, conditions=Conditions(contains="zqz"), **limits)
    names = names_of(generate(*served(), request))
    assert len(names) == 300
    assert all(40 <= len(name) <= 50 and "zqz" in name for name in names)


# ---------------------------------------------------------------- when


def test_what_is_not_rare_gives_the_names_of_the_stream_without_conditions(chain):
    for others, rare in ((30, False), (32, True)):
        model, vocabulary = chain({"": "a" * others + "b", "a": ".", "b": "."})
        plain = generate(model, vocabulary, GenerationRequest(5, 1000)).names
        request = GenerationRequest(5, 20, conditions=Conditions(suffix="b"))
        answer = generate(model, vocabulary, request)
        ends = [each for each in plain if each.name == "b"]
        assert (list(answer.names) == ends[:20]) is not rare
        assert (answer.acceptance_rate == 1) is rare


def test_lengths_alone_are_never_drawn_directly():
    model, vocabulary = served()
    few = GenerationRequest(1, 20, min_length=30)
    answer = generate(model, vocabulary, few)
    assert answer.exhausted
    assert answer.next_offset == few.budget == 1200


def test_what_cannot_be_ends_at_once_like_a_budget_that_is_spent(chain):
    few = chain({"": "a", "a": "b", "b": "."})
    request = GenerationRequest(1, n=5, offset=9, conditions=Conditions(suffix="a"))
    sampler, job = Sampler(*few), Job(request, *few)
    sampler.add(job)
    completed = [each for _ in range(9) for each in sampler.step()]
    assert completed == [job]
    assert job.result().next_offset - 9 == request.budget == 1050 + RARE_DRAWS
    assert not sampler.busy


def test_the_likeliest_name_does_or_does_not():
    greedy = SamplingParams(temperature=0)
    (name,) = names_of(generate(*served(), GenerationRequest(1, 1, sampling=greedy)))
    yes = GenerationRequest(1, 3, sampling=greedy, conditions=Conditions(suffix=name))
    assert names_of(generate(*served(), yes)) == [name] * 3
    no = replace(yes, conditions=Conditions(exclude=name))
    answer = generate(*served(), no)
    assert (answer.names, answer.exhausted, answer.next_offset) == ((), True, no.budget)


@pytest.mark.parametrize(
    ("architecture", "kind", "conditions"),
    [
        ("bigram", "text", Conditions(suffix="abc")),
        ("gru", "lines", Conditions(suffix="abc")),
        ("bigram", "lines", Conditions(pattern="*a" + "?" * 12)),
    ],
    ids=str,
)
def test_what_cannot_be_drawn_directly_is_drawn_by_rejection(
    architecture, kind, conditions, make_model, monkeypatch
):
    few = make_model(architecture, kind=kind, block_size=20)
    request = GenerationRequest(4, 2, conditions=conditions)
    answer = generate(*few, request)
    assert answer.acceptance_rate < 1 / 32
    assert answer == rejected(few, request, monkeypatch)


# ---------------------------------------------------------------- beside the rest


def test_novel_names_are_those_that_are_not_in_training():
    conditions = Conditions(pattern="z*z?")
    request = GenerationRequest(6, 200, max_length=5, conditions=conditions)
    everything = generate(*served(), request)
    known = frozenset(names_of(everything)[::2])
    novel = replace(request, n=30, conditions=replace(conditions, novel=True))
    answer = drawn(served(), novel, known)
    expected = [each for each in everything.names if each.name not in known]
    assert list(answer.names) == expected[:30]
    assert answer.next_offset == expected[29].index + 1


def test_unique_names_are_the_first_of_their_kind_or_end_with_the_budget(monkeypatch):
    monkeypatch.setattr("models.request.RARE_DRAWS", 0)
    given = {"conditions": Conditions(pattern="?q"), "max_length": 2}
    everything = generate(*served(), GenerationRequest(6, 1270, **given))
    request = GenerationRequest(6, 27, **given, unique=True)
    answer = generate(*served(), request)
    first = {each.name: each for each in reversed(everything.names)}
    expected = sorted(first.values(), key=lambda each: each.index)
    assert list(answer.names) == expected
    assert (answer.exhausted, answer.next_offset) == (True, request.budget)

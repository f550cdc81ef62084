"""Conditions leave names out and change none; what is left is the conditional distribution."""

import re
from collections import Counter
from dataclasses import replace
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.conditions import MAX_EXCLUDED, Conditions, matches
from models.errors import ParameterError, UnknownCharacterError
from models.generation import Sampler, generate
from models.request import RARE_DRAWS, GenerationRequest, Job
from models.sampling import SamplingParams
from models.word_list import WordList
from tests.exact import bundled, by_length, chi_square
from tests.models.conftest import each_architecture, names_of

NO_HEAD = [
    Conditions(suffix="a"),
    Conditions(contains="ab"),
    Conditions(pattern="*b?"),
    Conditions(pattern="?a*"),
    Conditions(exclude="c,ba"),
    Conditions(suffix="b", contains="a", pattern="??*", exclude="cc"),
    Conditions(unsafe=WordList.parse("*ab*\na\nb*\n*c")),
]
"""That force nothing, so that the draws are those of a request without any."""


SHORT = 4


def spelled(conditions: Conditions, name: str, known: set[str] = frozenset()) -> bool:  # type: ignore[assignment]
    """What the conditions mean, by another way."""
    pattern = re.escape(conditions.pattern).replace(r"\?", ".").replace(r"\*", ".*")
    return (
        re.fullmatch(f".*{re.escape(conditions.suffix)}", name, re.S) is not None
        and name.count(conditions.contains) > 0
        and (not pattern or re.fullmatch(pattern, name, re.S) is not None)
        and not any(name.count(each) for each in filter(None, conditions.exclude.split(",")))
        and not (conditions.novel and name in known)
        and not (conditions.unsafe and re.fullmatch(".*ab.*|a|b.*|.*c", name, re.S))
    )


def drawn(served, request, known=frozenset()):
    job = Job(request, *served, known)
    sampler = Sampler(*served)
    sampler.add(job)
    while not job.done:
        sampler.step()
    return job.result()


# ---------------------------------------------------------------- what is left


@given(
    st.text("ab?*", max_size=8).map(lambda text: re.sub(r"\*+", "*", text)),
    st.text("ab", max_size=10),
)
def test_patterns_match_as_the_regular_expressions_that_they_stand_for(pattern, text):
    expression = re.escape(pattern).replace(r"\?", ".").replace(r"\*", ".*")
    assert matches(pattern, text) == bool(re.fullmatch(expression, text))


def test_a_pattern_of_many_runs_is_matched_in_no_time():
    assert not matches("*a" * 500, "a" * 499 + "b" * 500)
    assert matches("*a" * 499, "a" * 499)


@each_architecture
@pytest.mark.parametrize("conditions", NO_HEAD, ids=str)
def test_conditions_leave_out_names_and_change_none(
    architecture, conditions, make_model, monkeypatch
):
    monkeypatch.setattr("models.request.RARE_DRAWS", 0)
    monkeypatch.setattr("models.rare.RARE", 0)  # else some are drawn directly
    served = make_model(architecture)
    everything = generate(*served, GenerationRequest(42, n=300))
    limited = generate(*served, GenerationRequest(42, n=20, conditions=conditions))
    expected = [each for each in everything.names if spelled(conditions, each.name)]
    assert list(limited.names)[: len(expected)] == expected[: len(limited.names)]
    assert all(spelled(conditions, name) for name in names_of(limited))


def test_what_a_pattern_begins_with_is_forced(make_model):
    served = make_model("gru")
    forced = generate(*served, GenerationRequest(7, conditions=Conditions(pattern="ba*")))
    assert forced == generate(*served, GenerationRequest(7, prefix="ba"))
    both = GenerationRequest(7, prefix="bac", conditions=Conditions(pattern="ba*"))
    assert generate(*served, both) == generate(*served, GenerationRequest(7, prefix="bac"))


def test_novel_names_are_those_that_are_not_in_training(make_model):
    served = make_model("gru")
    everything = generate(*served, GenerationRequest(42, n=500))
    known = frozenset(names_of(everything)[::2])
    novel = drawn(served, GenerationRequest(42, n=50, conditions=Conditions(novel=True)), known)
    expected = [each for each in everything.names if each.name not in known]
    assert list(novel.names) == expected[:50]


def test_unique_names_are_the_first_of_their_kind_in_the_stream(make_model):
    served = make_model("bigram", alphabet="ab")
    everything = generate(*served, GenerationRequest(42, n=1000))
    first = {each.name: each for each in reversed(everything.names)}
    expected = sorted(first.values(), key=lambda each: each.index)
    unique = generate(*served, GenerationRequest(42, n=20, unique=True))
    assert list(unique.names) == expected[:20]
    assert unique.next_offset == expected[19].index + 1


@pytest.mark.parametrize(
    "conditions", [Conditions(suffix="a", exclude="e"), Conditions(pattern="*a?")], ids=str
)
def test_ten_thousand_names_come_in_pages_as_in_one(conditions):
    checkpoint = bundled("bigram")
    served = checkpoint.model, checkpoint.vocabulary
    whole = generate(*served, GenerationRequest(3, 10_000, conditions=conditions))
    pages, offset = [], 0
    while len(pages) < 10_000:
        n = min(10_000 - len(pages), 1 + len(pages) % 997)
        page = generate(*served, GenerationRequest(3, n, offset, conditions=conditions))
        pages += page.names
        offset = page.next_offset
    assert tuple(pages) == whole.names
    assert offset == whole.next_offset


@cache
def short_names(model_id: str) -> dict[str, float]:
    """Every name of at most SHORT characters, with its probability."""
    checkpoint = bundled(model_id)
    found = {}
    for prefixes, _, ending in by_length(checkpoint.model, SamplingParams(), SHORT):
        for prefix, prob in zip(prefixes.tolist(), ending.tolist(), strict=True):
            found[checkpoint.vocabulary.decode(prefix)] = prob
    del found[""]
    return found


@pytest.mark.parametrize("model_id", ["bigram", pytest.param("mlp", marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "conditions",
    [
        Conditions(suffix="a"),
        Conditions(contains="an"),
        Conditions(pattern="?a*i?"),
        Conditions(pattern="ma*"),
        Conditions(exclude="a,e"),
        Conditions(novel=True),
        Conditions(suffix="n", exclude="nn,y", novel=True),
    ],
    ids=str,
)
def test_names_are_distributed_as_the_model_conditioned(model_id, conditions):
    checkpoint = bundled(model_id)
    wanted, known = 1500, checkpoint.training_names
    exact = {
        name: prob
        for name, prob in short_names(model_id).items()
        if spelled(conditions, name, known)
    }
    total = sum(exact.values())
    request = GenerationRequest(
        20261121, wanted, max_length=SHORT, conditions=conditions, scores=False
    )
    counts: Counter[str] = Counter()
    served = checkpoint.model, checkpoint.vocabulary
    while counts.total() < wanted:
        page = drawn(served, request, known)
        counts.update(names_of(page))
        request = replace(request, n=wanted - counts.total(), offset=page.next_offset)
        if not request.n:
            break
    likeliest = sorted(exact, key=lambda name: -exact[name])[:500]
    observed = [counts[name] for name in likeliest]
    assert chi_square(observed, [exact[name] / total for name in likeliest], wanted) > 1e-4
    assert set(counts) <= set(exact)


# ---------------------------------------------------------------- what can't be


def test_a_pattern_that_never_matches_ends_with_the_budget(chain):
    served = chain({"": "a", "a": "b", "b": "."})
    request = GenerationRequest(1, n=5, offset=9, conditions=Conditions(suffix="a"))
    answer = generate(*served, request)
    assert (answer.names, answer.exhausted, answer.acceptance_rate) == ((), True, 0)
    assert answer.next_offset - 9 == request.budget == 1050 + RARE_DRAWS


@pytest.mark.parametrize(
    ("parameter", "values", "message"),
    [
        ("suffix", {"suffix": "abcdefgab"}, "has 9 characters; allowed: 0 to 8"),
        ("contains", {"contains": "abcdefgab"}, "has 9 characters; allowed: 0 to 8"),
        ("pattern", {"pattern": "?" * 9}, "needs 9 characters at least; allowed: 0 to 8"),
        ("pattern", {"pattern": "*" * 18}, "is too long; allowed: 0 to 17 characters"),
        ("exclude", {"exclude": "a,,b"}, "empty or too long; allowed: 1 to 8"),
        ("exclude", {"exclude": "abcdefgab"}, "empty or too long; allowed: 1 to 8"),
        ("exclude", {"exclude": ",".join("a" * (MAX_EXCLUDED + 1))}, "allowed: 1 to 100"),
        ("exclude", {"suffix": "ab", "exclude": "c,b"}, "rules out what suffix demands"),
        ("exclude", {"contains": "ab", "exclude": "ab"}, "rules out what contains demands"),
        ("exclude", {"pattern": "ab*", "exclude": "ab"}, "rules out what prefix or pattern"),
    ],
    ids=str,
)
def test_a_condition_that_no_name_could_meet_is_refused(parameter, values, message, make_model):
    served = make_model("transformer")
    with pytest.raises(ParameterError, match=re.escape(message)) as caught:
        Job(GenerationRequest(1, conditions=Conditions(**values)), *served)
    assert caught.value.parameter == parameter


def test_conditions_that_contradict_the_lengths_or_the_prefix_are_refused(make_model):
    served = make_model("transformer")
    for request, message in (
        (GenerationRequest(1, min_length=4, conditions=Conditions(pattern="a??")), "allowed: 4 "),
        (GenerationRequest(1, max_length=2, conditions=Conditions(pattern="a??*")), "allowed: 0 "),
        (GenerationRequest(1, prefix="ba", conditions=Conditions(pattern="a*")), "like prefix"),
        (GenerationRequest(1, prefix="ba", conditions=Conditions(exclude="b")), "rules out"),
    ):
        with pytest.raises(ParameterError, match=message):
            Job(request, *served)


@pytest.mark.parametrize("parameter", ["suffix", "contains", "pattern"])
def test_a_character_that_no_name_has_is_refused_with_its_position(parameter, make_model):
    conditions = Conditions(**{parameter: "abX"})
    with pytest.raises(UnknownCharacterError) as caught:
        Job(GenerationRequest(1, conditions=conditions), *make_model("transformer"))
    assert (caught.value.parameter, caught.value.position) == (parameter, 2)


@pytest.mark.parametrize("values", [{"novel": True}, {"unsafe": WordList()}], ids=str)
def test_running_text_is_neither_novel_nor_safe(values, make_model):
    request = GenerationRequest(1, conditions=Conditions(**values))
    with pytest.raises(ParameterError, match="running text"):
        Job(request, *make_model("gru", kind="text"))

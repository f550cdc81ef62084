"""An automaton tells what the conditions tell, of every text."""

from itertools import product

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st

from models.automaton import DEAD, Automaton, build_automaton
from models.conditions import Conditions, Demands, Filter
from models.errors import ParameterError
from models.vocabulary import BOUNDARY, Vocabulary
from tests.models.conftest import finished
from tests.models.test_conditions import spelled

LETTERS = Vocabulary(("a", "b", "c"))
LONGEST = 5
EVERY = ["".join(name) for n in range(LONGEST + 1) for name in product("abc", repeat=n)]


def accepts(automaton: Automaton, vocabulary: Vocabulary, rest: str) -> bool:
    """Whether it accepts what is `rest` after the forced beginning."""
    state = 0
    for token_id in vocabulary.encode(rest):
        state = automaton.following[state, token_id]
        if state == DEAD:
            return False
    return bool(automaton.accepting[state])


texts = st.text("ab", max_size=3)
conditions = st.builds(
    Conditions,
    suffix=texts,
    contains=texts,
    pattern=st.text("ab?*", max_size=6),
    exclude=st.lists(st.text("abcx", min_size=1, max_size=3), max_size=3).map(",".join),
)


@given(conditions, st.text("abc", max_size=2))
def test_an_automaton_accepts_the_names_that_meet_the_conditions(given_conditions, prefix):
    try:
        told = Filter(given_conditions, prefix, (1, LONGEST), LETTERS, frozenset())
    except ParameterError:
        assume(False)
    automaton, _ = finished(build_automaton(told.demands, told.head, LETTERS, 1000))
    for name in EVERY:
        if name.startswith(told.head):
            rest = name.removeprefix(told.head)
            assert (
                accepts(automaton, LETTERS, rest)
                == told.allows(name)
                == spelled(given_conditions, name)
            )


def test_wildcards_are_characters_like_any_other_outside_a_pattern():
    vocabulary = Vocabulary(("*", "?", "a"))
    demands = Demands(suffix="?", contains="*", pattern="*a?", excluded=("??",))
    automaton, _ = finished(build_automaton(demands, "", vocabulary, 1000))
    good = [
        name
        for n in range(5)
        for name in map("".join, product("*?a", repeat=n))
        if accepts(automaton, vocabulary, name)
    ]
    assert good == ["*a?", "**a?", "*?a?", "*aa?", "?*a?", "a*a?"]


def test_no_name_goes_on_from_a_forced_beginning_that_cannot_do():
    demands = Demands("", "", "a?b*", ())
    automaton, _ = finished(build_automaton(demands, "abab", LETTERS, 1000))
    assert (automaton.following == DEAD).all()
    assert not automaton.accepting.any()


def test_the_boundary_is_no_character():
    automaton, _ = finished(build_automaton(Demands("a", "", "", ()), "", LETTERS, 1000))
    assert (automaton.following[:, BOUNDARY] == DEAD).all()


def test_patterns_of_many_runs_have_about_a_state_a_place():
    automaton, _ = finished(
        build_automaton(Demands("", "", "*a*b" * 16 + "*", ()), "", LETTERS, 1000)
    )
    assert len(automaton.accepting) == 33


def test_what_needs_too_many_states_is_given_up():
    twelve = Demands("", "", "*a" + "?" * 12, ())
    assert finished(build_automaton(twelve, "", LETTERS, 2**13))[0] is not None
    assert finished(build_automaton(twelve, "", LETTERS, 2**13 - 1))[0] is None
    many = Demands("", "", "", tuple(map("".join, product("abc", repeat=4))))
    assert finished(build_automaton(many, "", LETTERS, 323))[0] is None
    assert finished(build_automaton(many, "", LETTERS, 324))[0] is not None


def test_a_large_automaton_is_built_with_pauses():
    _, pauses = finished(build_automaton(Demands("", "", "*a" + "?" * 12, ()), "", LETTERS, 2**13))
    assert pauses == 2**13 // 1024


def test_excluded_words_share_their_beginnings_and_ends():
    words = ("abab", "ba", "aabb", "bb")
    automaton, _ = finished(build_automaton(Demands("", "", "", words), "", LETTERS, 1000))
    for name in EVERY:
        assert accepts(automaton, LETTERS, name) == (not any(word in name for word in words))
    assert len(automaton.accepting) < np.sum([len(word) for word in words])

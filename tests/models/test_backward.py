"""The probability that a draw does, and draws that do: held against enumeration."""

import math
from itertools import count

import numpy as np
import pytest

from models.automaton import build_automaton
from models.backward import MAX_TRANSITIONS, Conditioned, build_chain, condition
from models.conditions import Conditions, Filter
from models.context_table import ContextTable
from models.sampling import SamplingParams
from models.vocabulary import BOUNDARY
from tests.exact import bundled, next_probabilities
from tests.models.conftest import finished
from tests.models.test_conditions import spelled

LONGEST = 6


PLAIN = SamplingParams()


def conditioned(served, conditions, sampling=PLAIN, prefix="", lengths=(1, 64)):
    model, vocabulary = served
    told = Filter(conditions, prefix, lengths, vocabulary, frozenset())
    table, head = ContextTable(model, vocabulary, 1 << 20), vocabulary.encode(told.head)
    automaton, _ = finished(build_automaton(told.demands, told.head, vocabulary, 1000))
    chain, _ = finished(build_chain(table, automaton, sampling, head))
    result, _ = finished(condition(chain, head, lengths))
    assert isinstance(result, Conditioned)
    return result


def by_enumeration(served, conditions, sampling, prefix, lengths):
    """The probability that a name does, once its beginning is forced: name by name."""
    model, vocabulary = served
    head = Filter(conditions, prefix, lengths, vocabulary, frozenset()).head
    total, probs = 0.0, {head: 1.0}
    for length in range(len(head), lengths[1] + 1):
        prefixes = np.array([vocabulary.encode(name) for name in probs], dtype=np.int64)
        rows = next_probabilities(model, prefixes.reshape(len(probs), length), sampling)
        following = {}
        for (name, prob), row in zip(probs.items(), rows.tolist(), strict=True):
            if length >= lengths[0] and spelled(conditions, name):
                total += prob * row[BOUNDARY]
            for character, each in zip(vocabulary.characters, row[1:], strict=True):
                following[name + character] = prob * each
        probs = following
    return total


@pytest.mark.parametrize(
    ("architecture", "sizes"),
    [("bigram", {}), ("neural-bigram", {}), ("mlp", {"block_size": 2}), ("mlp", {"block_size": 3})],
)
@pytest.mark.parametrize(
    "sampling",
    [SamplingParams(), SamplingParams(0.6, top_k=3), SamplingParams(2.0, top_p=0.95, min_p=0.01)],
    ids=str,
)
@pytest.mark.parametrize(
    ("conditions", "prefix", "lengths"),
    [
        (Conditions(), "", (1, LONGEST)),
        (Conditions(suffix="ab"), "", (3, LONGEST)),
        (Conditions(contains="aca", exclude="bb"), "", (1, LONGEST)),
        (Conditions(pattern="?b*a?"), "", (1, LONGEST)),
        (Conditions(pattern="a*c", exclude="ab"), "", (5, 5)),
        (Conditions(suffix="c", contains="b"), "ca", (1, 4)),
        (Conditions(pattern="ab"), "", (1, 2)),
    ],
    ids=str,
)
def test_the_acceptance_is_the_sum_over_all_names_that_do(
    architecture, sizes, sampling, conditions, prefix, lengths, make_model
):
    served = make_model(architecture, alphabet="abc", **sizes)
    exact = by_enumeration(served, conditions, sampling, prefix, lengths)
    found = conditioned(served, conditions, sampling, prefix, lengths)
    assert math.exp(found.log_acceptance) == pytest.approx(exact, rel=1e-12)


def test_the_bundled_bigrams_acceptances_are_those_of_powers_of_its_matrix():
    checkpoint = bundled("bigram")
    served = checkpoint.model, checkpoint.vocabulary
    size = len(checkpoint.vocabulary)
    matrix = next_probabilities(checkpoint.model, np.arange(size)[:, None], SamplingParams())
    letters, ending = matrix[1:, 1:], matrix[1:, BOUNDARY]
    powers = [matrix[BOUNDARY, 1:]]
    for _ in range(63):
        powers.append(powers[-1] @ letters)
    of_five = conditioned(served, Conditions(pattern="?????"), lengths=(5, 5))
    assert math.exp(of_five.log_acceptance) == pytest.approx(powers[4] @ ending, rel=1e-12)
    (q,) = checkpoint.vocabulary.encode("q")
    on_q = conditioned(served, Conditions(suffix="q"), lengths=(2, 64))
    expected = sum(power[q - 1] for power in powers[1:]) * ending[q - 1]
    assert math.exp(on_q.log_acceptance) == pytest.approx(expected, rel=1e-12)


def test_what_is_rarer_than_the_least_float_is_drawn_all_the_same():
    checkpoint = bundled("bigram")
    cold = conditioned(
        (checkpoint.model, checkpoint.vocabulary),
        Conditions(contains="qzqzqzqz"),
        SamplingParams(0.02),
        lengths=(1, 64),
    )
    assert -math.inf < cold.log_acceptance < math.log(5e-324)
    names, _ = cold.draw(1, np.arange(20, dtype=np.uint64))
    assert all("qzqzqzqz" in checkpoint.vocabulary.decode(name) for name in names)


def test_what_cannot_be_has_no_acceptance(chain):
    served = chain({"": "a", "a": "b", "b": "."})
    assert conditioned(served, Conditions(suffix="a")).log_acceptance == -math.inf
    assert conditioned(served, Conditions(suffix="b")).log_acceptance == 0
    dead = conditioned(served, Conditions(pattern="a?b*"), prefix="aaa")
    assert dead.log_acceptance == -math.inf


def test_a_name_is_its_own_indexs_whatever_it_is_drawn_beside(make_model):
    served = make_model("bigram")
    direct = conditioned(served, Conditions(contains="aba"))
    indexes = np.arange(10**12, 10**12 + 300, dtype=np.uint64)
    together = list(zip(*direct.draw(7, indexes), strict=True))
    for size in (1, 2, 7, 64):
        apart: list[tuple[list[int], float]] = []
        for first in range(0, 300, size):
            apart += zip(*direct.draw(7, indexes[first : first + size]), strict=True)
        assert apart == together


def test_a_chain_that_would_be_too_large_is_given_up(make_model):
    model, vocabulary = make_model("mlp", alphabet="abcdefghijklmno", block_size=2)
    table = ContextTable(model, vocabulary, 1 << 20)
    for size in count(1):
        pattern = "*a" + "?" * size
        told = Filter(Conditions(pattern=pattern), "", (1, 64), vocabulary, frozenset())
        automaton, _ = finished(build_automaton(told.demands, "", vocabulary, 1000))
        chain, _ = finished(build_chain(table, automaton, PLAIN, []))
        if chain is None:
            break
        assert chain.log_probs.size <= MAX_TRANSITIONS
    assert size > 1


def test_a_large_chain_is_prepared_with_pauses(make_model):
    model, vocabulary = make_model("mlp", alphabet="abcdefghijklmno", block_size=3)
    told = Filter(Conditions(suffix="a"), "", (1, 64), vocabulary, frozenset())
    automaton, _ = finished(build_automaton(told.demands, "", vocabulary, 1000))
    table = ContextTable(model, vocabulary, 1 << 20)
    chain, pauses = finished(build_chain(table, automaton, PLAIN, []))
    assert pauses >= 3
    _, pauses = finished(condition(chain, [], (1, 64)))
    together = MAX_TRANSITIONS // chain.log_probs.size  # lengths
    assert pauses == 64 // together > 30

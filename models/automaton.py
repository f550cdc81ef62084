"""Automaton: whether a name meets conditions, told by reading it a character at a time.

The strings to be found, and those to be avoided, are each watched by an Aho-Corasick machine,
the pattern by the set of places that it may have got to, and a state is what all of them know:
their product, of which only what can be reached is made.

Sources: Aho and Corasick 1975, https://doi.org/10.1145/360825.360855; the subset construction,
Rabin and Scott 1959, https://doi.org/10.1147/rd.32.0114.
Deviations: of the places in a pattern those before the last `*` that was reached are dropped,
for what they allow it allows too, so that most patterns have one state a place; characters
that no condition names are read as one. It is not minimised.

Shapes: S states, V = vocab_size.
Cost: O(S) steps for each different character of the conditions; S can grow exponentially with
the `?` after a `*`, hence the limit.
"""

from collections import deque
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.conditions import ONE, RUN, Demands
from models.vocabulary import Vocabulary

DEAD = -1
"""In place of a state: no name that goes on from there meets the conditions."""
_SLICE = 2048
"""Steps of the construction between two pauses: some milliseconds."""


@dataclass(frozen=True)
class Automaton:
    """Deterministic; state 0 is where the forced beginning of a name leads.

    Attributes:
        following: (S, V) int32, the state after one more character, or DEAD; so it is for the
            boundary, which is no character.
        accepting: (S,) whether a name that ends there meets the conditions.
    """

    following: NDArray[np.int32]
    accepting: NDArray[np.bool_]


def build_automaton(
    demands: Demands, head: str, vocabulary: Vocabulary, limit: int
) -> Generator[None, None, Automaton | None]:
    """The automaton of some conditions, in slices of a few milliseconds.

    Args:
        demands: of the conditions.
        head: what every name begins with.
        vocabulary: of the names.
        limit: states at most, and characters of what is excluded.

    Returns:
        None if there are more of either.
    """
    possible = [each for each in demands.excluded if set(each) <= set(vocabulary.characters)]
    if sum(map(len, possible)) > limit:
        return None
    demands = demands._replace(excluded=tuple(possible))
    literals = set(demands.pattern) - {ONE, RUN}
    named = sorted(literals.union(demands.suffix, demands.contains, *possible))
    classes = {character: number for number, character in enumerate(named, start=1)}
    machine = _Machine(demands, classes)
    start = machine.read(head)
    states = [] if start is None else [start]
    numbers = {state: number for number, state in enumerate(states)}
    rows: list[list[int]] = []
    pause = max(1, _SLICE // (len(classes) + 1))
    for state in states:  # to which those that it leads to are added
        row = []
        for following in (machine.follow(state, each) for each in range(len(classes) + 1)):
            if following is None:
                row.append(DEAD)
                continue
            row.append(numbers.setdefault(following, len(states)))
            if row[-1] == len(states):
                states.append(following)
        rows.append(row)
        if len(states) > limit:
            return None
        if len(rows) % pause == 0:
            yield
    columns = [0, *(classes.get(character, 0) for character in vocabulary.characters)]
    table = np.array(rows or [[DEAD] * (len(classes) + 1)], dtype=np.int32)[:, columns]
    table[:, 0] = DEAD
    accepting = np.array([machine.accepts(state) for state in states] or [False])
    return Automaton(table, accepting)


class _State(NamedTuple):
    """What each part knows of the text so far; `places` has a bit for each of the pattern."""

    contained: int
    ending: int
    excluded: int
    places: int


class _Machine:
    """The parts, side by side, over classes of characters: 0 is all that no condition names."""

    def __init__(self, demands: Demands, classes: dict[str, int]) -> None:
        def numbered(words: Iterable[str]) -> "_Words":
            return _Words([[classes[each] for each in word] for word in words], len(classes) + 1)

        self._classes = classes
        self._contained = numbered([demands.contains])
        self._ending = numbered([demands.suffix])
        self._excluded = numbered(demands.excluded)
        pattern = _without_repeated_runs(demands.pattern or RUN)
        self._end = len(pattern)
        self._runs = sum(1 << place for place, each in enumerate(pattern) if each == RUN)
        places = list(enumerate(pattern))
        self._passed = [  # by class: the places that it leads one further from
            sum(1 << place for place, each in places if each != RUN and each in (ONE, character))
            for character in ("", *classes)
        ]

    def read(self, text: str) -> _State | None:
        """The state after a text; None as in `follow`."""
        state: _State | None = _State(0, 0, 0, self._closed(1))
        for character in text:
            state = state and self.follow(state, self._classes.get(character, 0))
        return state

    def follow(self, state: _State, read: int) -> _State | None:
        """The state after one more character; None if nothing that goes on from there will do."""
        excluded = self._excluded.following[state.excluded][read]
        places = (state.places & self._passed[read]) << 1 | state.places & self._runs
        if not places or self._excluded.found[excluded]:
            return None
        contained = state.contained
        if not self._contained.found[contained]:  # else it stays found
            contained = self._contained.following[contained][read]
        ending = self._ending.following[state.ending][read]
        return _State(contained, ending, excluded, self._closed(places))

    def accepts(self, state: _State) -> bool:
        """Whether a text that ends there meets the conditions."""
        found = self._contained.found[state.contained] and self._ending.found[state.ending]
        return found and bool(state.places >> self._end & 1)

    def _closed(self, places: int) -> int:
        """With the places after a `*`, and without those before the last one."""
        runs = places & self._runs
        places |= runs << 1
        runs = places & self._runs
        return places & -(1 << runs.bit_length() - 1) if runs else places


class _Words:
    """Aho-Corasick: whether what was read ends with one of some words.

    Args:
        words: of numbers from 1 on.
        size: how many there are with 0, which is in no word.

    Attributes:
        following: of each node, the node after each number.
        found: of each node, whether one of the words has just been read.
    """

    def __init__(self, words: Sequence[Sequence[int]], size: int) -> None:
        children: list[dict[int, int]] = [{}]
        self.found = [False]
        for word in words:
            node = 0
            for read in word:
                if read not in children[node]:
                    children[node][read] = len(children)
                    children.append({})
                    self.found.append(False)
                node = children[node][read]
            self.found[node] = True
        self.following: list[list[int]] = [[0] * size for _ in children]
        waiting = deque([(0, -1)])  # nodes, each with that of its longest end that is a node
        while waiting:
            node, shorter = waiting.popleft()
            if shorter >= 0:
                self.following[node] = list(self.following[shorter])
                self.found[node] |= self.found[shorter]
            for read, child in children[node].items():
                waiting.append((child, self.following[node][read]))
                self.following[node][read] = child


def _without_repeated_runs(pattern: str) -> str:
    while RUN * 2 in pattern:
        pattern = pattern.replace(RUN * 2, RUN)
    return pattern

"""Drawing from a model with a short memory under rare conditions, without rejection.

What is still to come of a name matters to it by the context and by the state of an automaton
that reads along. So the probability that it will end, in time and as the conditions want it,
can be computed backward, from the longest names to none: beta[t] of each such node. Each
character is then drawn with the model's probability times beta of where it leads: names come
exactly as the model conditioned, and every draw is one.

Sources: the backward pass of Rabiner 1989, https://doi.org/10.1109/5.18626, with draws going
forward; Pachet, Roy and Barbieri 2011, "Finite-length Markov processes with constraints", and
Papadopoulos et al. 2015, https://doi.org/10.1007/978-3-319-23219-5_18, for automata.
Deviations: only what can be reached from the start has a node; all of it in logarithms, because
what is rare in names of 64 characters can be rarer than the least float64.

Shapes: B names, N nodes, V = vocab_size, L characters of a name at most, H of them forced.
Cost: O(N * V * (L - H)) once, O(V) a character; 8 N (L - H) + 4 N V bytes.
"""

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.automaton import DEAD, Automaton
from models.context_table import ContextTable
from models.randomness import uniforms
from models.sampling import Array, SamplingParams, draw, probabilities
from models.vocabulary import BOUNDARY

MAX_TRANSITIONS = 1 << 17
"""N * V: what one step backward looks at, in a few milliseconds."""
MAX_NODES = 4096
"""N: so that what is kept is some 2 MB for names of up to 64 characters."""
_AHEAD = 16
"""Uniforms that are made at a time."""


@dataclass(frozen=True)
class Chain:
    """Contexts and states together: a Markov chain over N nodes.

    Attributes:
        table: of the model.
        contexts: (N,) of each node, as the table numbers them; node 0 is where names begin.
        log_probs: (N, V) with which each character comes next, in nats.
        following: (N, V) int32 the node after each; N where nothing will do any more, N + 1
            where the name has ended as it should.
    """

    table: ContextTable
    contexts: NDArray[np.int64]
    log_probs: Array
    following: NDArray[np.int32]

    def onward(self, nodes: NDArray[np.int64], after: Array) -> Array:
        """(B, V) logarithms: of the probability of each character, and of a good end after it.

        Args:
            nodes: (B,).
            after: (N + 2,) logarithms of the probability of a good end, one character later.
        """
        result: Array = self.log_probs[nodes] + after[self.following[nodes]]
        return result


def build_chain(
    table: ContextTable, automaton: Automaton, sampling: SamplingParams, head: Sequence[int]
) -> Generator[None, None, Chain | None]:
    """The nodes that names which begin with `head` can come to, in slices of milliseconds.

    Args:
        table: in float64.
        automaton: that has read `head`.
        sampling: how distributions are reshaped.
        head: ids.

    Returns:
        None if they exceed MAX_NODES or MAX_TRANSITIONS.
    """
    states, size = automaton.following.shape
    most = min(MAX_NODES, MAX_TRANSITIONS // size)
    node_of = np.full(len(table) * states, -1, dtype=np.int32)  # by context and state
    frontier = np.array([_context(table, head) * states])
    node_of[frontier] = 0
    found, log_probs, leads = [frontier], list[Array](), list[NDArray[np.int64]]()
    count = 1
    while len(frontier):
        contexts, state = np.divmod(frontier, states)
        log_probs.append(_reshaped(table, contexts, sampling))
        after = automaton.following[state]
        keys = table.keys(contexts[:, None], np.arange(size))
        possible = (after != DEAD) & (log_probs[-1] > -np.inf)
        leads.append(np.where(possible, keys * states + after, -1))
        frontier = np.unique(leads[-1][possible])
        frontier = frontier[node_of[frontier] < 0]
        node_of[frontier] = np.arange(count, count + len(frontier))
        count += len(frontier)
        found.append(frontier)
        if count > most:
            return None
        yield
    nodes, led = np.concatenate(found), np.concatenate(leads)
    following = np.where(led < 0, count, node_of[led]).astype(np.int32)
    following[:, BOUNDARY] = count + automaton.accepting[nodes % states]
    return Chain(table, nodes // states, np.concatenate(log_probs), following)


class Conditioned:
    """A model conditioned on what a name must be like, its beginning and its length.

    Args:
        chain: of the model and the conditions.
        head: ids of what every name begins with.
        log_beta: (L - H + 2, N + 2): entry t of names with H + t characters, as in `onward`.
    """

    def __init__(self, chain: Chain, head: Sequence[int], log_beta: Array) -> None:
        self._chain = chain
        self._head = np.array(head, dtype=np.int64)
        self._log_beta = log_beta

    @property
    def log_acceptance(self) -> float:
        """Logarithm of the probability that a draw of the model as is would do; it can be -inf."""
        return float(self._log_beta[0, 0])

    @property
    def work(self) -> int:
        """Probabilities that a draw looks at, at most."""
        characters, size = len(self._log_beta) - 1, self._chain.log_probs.shape[1]
        return characters * int(size)

    def draw(self, seed: int, indexes: NDArray[np.uint64]) -> tuple[list[list[int]], list[float]]:
        """Draw some names of a stream; each depends on its own index alone.

        Args:
            seed: of the stream.
            indexes: (B,).

        Returns:
            The ids of each, without the end, and their NLLs in nats under the model as is, of
            log-probabilities that were rounded to float32.
        """
        forced, longest = len(self._head), len(self._head) + len(self._log_beta) - 2
        token_ids = np.zeros((len(indexes), longest + 1), dtype=np.int64)
        token_ids[:, :forced] = self._head
        nll = np.full(len(indexes), self._head_nll())
        node, chosen = np.zeros(len(indexes), dtype=np.int64), np.zeros((len(indexes), _AHEAD))
        going = np.arange(len(indexes))  # names that have not ended
        for position in range(forced, longest + 1):
            if position == forced or position % _AHEAD == 0:
                first = position - position % _AHEAD
                chosen[going] = uniforms(seed, indexes[going], _AHEAD, first)
            logs = self._chain.onward(node[going], self._log_beta[position - forced + 1])
            weights = np.exp(logs - logs.max(axis=1, keepdims=True))
            drawn = draw(weights, chosen[going, position % _AHEAD])
            nll[going] += _nll(self._chain.table, self._chain.contexts[node[going]], drawn)
            token_ids[going, position] = drawn
            node[going] = self._chain.following[node[going], drawn]
            going = going[drawn != BOUNDARY]
            if not len(going):
                break
        lengths = forced + (token_ids[:, forced:] == BOUNDARY).argmax(axis=1)
        names = zip(token_ids.tolist(), lengths.tolist(), strict=True)
        return [name[:length] for name, length in names], nll.tolist()

    def _head_nll(self) -> float:
        """In nats, of what is forced."""
        table, total = self._chain.table, 0.0
        for position, token_id in enumerate(self._head):
            context = np.array([_context(table, self._head[:position])])
            total += float(_nll(table, context, np.array([token_id]))[0])
        return total


def condition(
    chain: Chain, head: Sequence[int], lengths: tuple[int, int]
) -> Generator[None, None, Conditioned]:
    """Compute beta from the longest names to none, in slices of a few milliseconds.

    Args:
        chain: of the model and the conditions.
        head: ids of what every name begins with, at most as many as the longest has.
        lengths: (fewest, most) characters of a name.
    """
    fewest, most = lengths
    nodes, looked_at = len(chain.contexts), 0
    log_beta = np.full((most - len(head) + 2, nodes + 2), -np.inf)
    log_beta[max(0, fewest - len(head)) + 1 :, nodes + 1] = 0.0  # it ended before that character
    for characters in reversed(range(len(log_beta) - 1)):
        if looked_at + chain.log_probs.size > MAX_TRANSITIONS:
            looked_at = 0
            yield
        looked_at += chain.log_probs.size
        logs = chain.onward(np.arange(nodes), log_beta[characters + 1])
        log_beta[characters, :nodes] = _log_sum(logs)
    return Conditioned(chain, head, log_beta)


def _context(table: ContextTable, token_ids: Sequence[int] | NDArray[np.int64]) -> int:
    """Of a name that begins so."""
    context = np.array([table.root_key])
    for token_id in token_ids:
        context = table.keys(context, np.array([token_id]))
    return int(context[0])


def _reshaped(table: ContextTable, contexts: NDArray[np.int64], sampling: SamplingParams) -> Array:
    """(B, V) log-probabilities after (B,) contexts, as they are drawn from."""
    exact = table.log_probs(contexts).astype(np.float64, copy=False)
    with np.errstate(divide="ignore"):
        result: Array = np.log(probabilities(exact, sampling))
    return result


def _nll(
    table: ContextTable, contexts: NDArray[np.int64], token_ids: NDArray[np.int64]
) -> NDArray[np.float32]:
    """(B,) in nats, rounded as wherever names are drawn."""
    log_probs = table.log_probs(contexts)[np.arange(len(contexts)), token_ids]
    return np.maximum(np.float32(0), -log_probs.astype(np.float32))


def _log_sum(logs: Array) -> Array:
    """(B, V) logarithms to (B,) that of the sum of each row."""
    largest = logs.max(axis=1, keepdims=True)
    largest[largest == -math.inf] = 0.0
    with np.errstate(divide="ignore"):
        result: Array = np.log(np.exp(logs - largest).sum(axis=1)) + largest[:, 0]
    return result

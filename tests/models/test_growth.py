"""A tree that grows learns the likeliest prefixes first, and harms no one meanwhile."""

from itertools import count, product

import numpy as np
import torch

from models.generation import Sampler, generate
from models.growth import Growth
from models.prefix_tree import NONE, PrefixTree
from models.request import GenerationRequest, Job
from models.rows import ROWS, Rows, boundaries
from models.vocabulary import BOUNDARY
from tests.models.conftest import Served, each_architecture, exactly
from tests.models.test_prefix_tree import NODE_BYTES, draw_all, names_of, node_of, passes


def test_growing_fills_the_tree_and_makes_way_for_requests(make_model, monkeypatch):
    served = make_model("gru")
    sampler = Sampler(*served, 200_000)
    for _ in range(10):
        sampler.grow()
    assert not sampler.busy
    request = GenerationRequest(5, n=20)
    assert passes(sampler, served, request, monkeypatch) < passes(
        Sampler(*served, 200_000), served, request, monkeypatch
    )
    assert not sampler.busy
    while not sampler.grown:
        sampler.grow()
    assert not sampler.busy
    (again,) = draw_all(served, 0, [request])
    job = Job(request, *served)
    sampler.add(job)
    while not job.done:
        sampler.step()
    assert (exactly(job.result()), job.result()) == again


@each_architecture
def test_growing_beside_jobs_loses_none_of_their_names(architecture, make_model):
    served = make_model(architecture)
    requests = [GenerationRequest(seed, n=1000, scores=False) for seed in range(2)]
    expected = [generate(*served, request).names for request in requests]
    sampler = Sampler(*served, 200_000)
    jobs = [Job(request, *served) for request in requests]
    for job in jobs:
        sampler.add(job)
    for _ in range(5_000):
        if all(job.done for job in jobs):
            break
        sampler.step()
        sampler.grow()
    assert all(job.done for job in jobs)
    assert [list(map(str, job.result().names)) for job in jobs] == [
        list(map(str, names)) for names in expected
    ]


@each_architecture
def test_the_likeliest_prefixes_are_known_first(architecture, make_model):
    served = make_model(architecture)
    tree = PrefixTree(served[0], 60 * NODE_BYTES)
    growth, rows = Growth(tree, 7), Rows(*served)
    while not growth.over:
        for key in growth.propose(5)[:, None]:
            token_ids, lengths = tree.token_ids(key)
            rows.restart(np.arange(ROWS))
            inputs = boundaries()
            for token_id in [BOUNDARY, *token_ids[0, : lengths[0]].tolist()]:
                inputs[0] = token_id
                log_probs = rows.advance(inputs)[:1]
            tree.add(key, log_probs, rows.state, np.array([0]))
    shares = shares_by_knowledge(served, tree)
    assert len(shares[True]) > 20
    # A round goes down to an eighth of the last one.
    assert max(shares[False]) < 8.001 * min(shares[True])


@each_architecture
def test_so_they_are_when_requests_interrupt_the_growth(architecture, make_model):
    served = make_model(architecture, n_embd2=8)
    sampler = Sampler(*served, 200 * NODE_BYTES)
    for seed in count():
        sampler.grow()
        if sampler.grown:
            break
        names_of(served, sampler, GenerationRequest(seed, n=1))
    if isinstance(sampler.tree, PrefixTree):
        assert max(shares_by_knowledge(served, sampler.tree)[False]) < 0.03


def shares_by_knowledge(served: Served, tree: PrefixTree) -> dict[bool, list[float]]:
    """How many names begin with a prefix, of those that the tree knows and of the others."""
    shares: dict[bool, list[float]] = {True: [], False: []}
    for length in range(4):
        for prefix in map("".join, product("abcdefg", repeat=length)):
            shares[node_of(served, tree, prefix)[0] != NONE].append(share_of(served, prefix))
    return shares


def share_of(served: Served, prefix: str) -> float:
    """The probability that a name begins so."""
    token_ids = torch.tensor([[BOUNDARY, *served[1].encode(prefix)]])
    log_probs = served[0](token_ids).log_softmax(-1)[0]
    return float(np.exp(sum(float(log_probs[t, c]) for t, c in enumerate(token_ids[0, 1:]))))

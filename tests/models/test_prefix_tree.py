"""The prefix tree decides how long a name takes, and nothing else."""

from itertools import product

import numpy as np
import pytest
import torch

from models.context_table import ContextTable, fits
from models.generation import Sampler
from models.prefix_tree import NONE, ROOT, PrefixTree
from models.request import GenerationRequest, Job
from models.rows import ROWS, Rows, boundaries
from models.sampling import SamplingParams, log_softmax
from models.vocabulary import BOUNDARY
from tests.models.conftest import HANGUL, HOT, Served, each_architecture, exactly

NODE_BYTES = 8 * 4 + 20
"""Of a node of the tiny models, V = 8, without a state."""
REQUESTS = [
    GenerationRequest(1, n=60),
    GenerationRequest(2, n=60, sampling=HOT),
    GenerationRequest(3, n=30, prefix="ab", min_length=4),
    GenerationRequest(4, n=30, sampling=SamplingParams(0.8, top_k=3, min_p=0.1)),
    GenerationRequest(1, n=90),
]


def draw_all(served: Served, tree_bytes: int, requests: list[GenerationRequest]) -> list[object]:
    """One after the other from one sampler, whose tree is warmer each time."""
    sampler = Sampler(*served, tree_bytes)
    answers: list[object] = []
    for request in requests:
        job = Job(request, *served)
        sampler.add(job)
        while not job.done:
            sampler.step()
        answers.append((exactly(job.result()), job.result()))
    return answers


@each_architecture
@pytest.mark.parametrize("tree_bytes", [NODE_BYTES + 8, 5_000, 50_000, 5_000_000])
def test_names_are_the_same_with_any_memory_cold_and_warm(architecture, tree_bytes, make_model):
    served = make_model(architecture)
    assert draw_all(served, tree_bytes, REQUESTS) == draw_all(served, 0, REQUESTS)


@each_architecture
@pytest.mark.parametrize("tree_bytes", [20_000, 5_000_000])
def test_so_are_texts(architecture, tree_bytes, make_model):
    served = make_model(architecture, alphabet=HANGUL, kind="text")
    requests = [GenerationRequest(seed, n=20, sampling=HOT, max_length=7) for seed in (1, 1, 2)]
    assert draw_all(served, tree_bytes, requests) == draw_all(served, 0, requests)


def names_of(served: Served, sampler: Sampler, request: GenerationRequest) -> list[object]:
    job = Job(request, *served)
    sampler.add(job)
    while not job.done:
        sampler.step()
    return [(drawn.name, drawn.index) for drawn in job.result().names]


def read(served: Served, tree: PrefixTree, words: list[str]) -> None:
    """Let rows read words, and the tree learn every prefix of them."""
    model, vocabulary = served
    rows = Rows(model, vocabulary)
    for word in words:
        rows.restart(np.arange(ROWS))
        inputs, key, node = boundaries(), np.array([tree.root_key]), np.array([NONE])
        for token_id in [BOUNDARY, *vocabulary.encode(word)]:
            inputs[3] = token_id
            log_probs = rows.advance(inputs)[3:4]
            if token_id != BOUNDARY:
                key = tree.keys(node, inputs[3:4])
            node = tree.find(key)
            if node[0] == NONE:
                if tree.full:
                    break
                node = tree.add(key, log_probs, rows.state, np.array([3]))


def node_of(served: Served, tree: PrefixTree, prefix: str) -> np.ndarray:
    node = tree.find(np.array([tree.root_key]))
    for token_id in served[1].encode(prefix):
        node = tree.find(tree.keys(node, np.array([token_id])))
        if node[0] == NONE:
            break
    return node


@each_architecture
def test_a_node_has_the_distribution_after_its_prefix(architecture, make_model):
    served = make_model(architecture)
    tree = PrefixTree(served[0], 100_000)
    read(served, tree, ["abc", "abd", "b"])
    assert len(tree) == 6
    for prefix in ("", "a", "ab", "abc", "abd", "b"):
        token_ids = torch.tensor([[BOUNDARY, *served[1].encode(prefix)]])
        expected = log_softmax(served[0](token_ids)[:, -1].numpy())
        found = tree.log_probs(node_of(served, tree, prefix))
        np.testing.assert_allclose(found, expected.astype(np.float32), rtol=0, atol=0)
    for prefix in ("c", "abcd", "ba"):
        assert node_of(served, tree, prefix)[0] == NONE


@each_architecture
def test_a_pass_goes_on_from_a_state_that_was_kept_as_if_all_had_been_read(
    architecture, make_model
):
    served = make_model(architecture)
    model, vocabulary = served
    tree = PrefixTree(model, 1_000_000)
    read(served, tree, ["abc", "gfe"])
    rows = Rows(model, vocabulary)
    inputs = boundaries()
    for token_id in (BOUNDARY, 1, 2, 3, 4):  # other names are on their way, and stay what they are
        inputs[:] = token_id
        rows.advance(inputs)
    chosen = np.array([7, 30, 2])
    nodes = np.concatenate([node_of(served, tree, prefix) for prefix in ("abc", "", "gf")])
    lengths = tree.load_states(nodes, rows.state, chosen)
    assert lengths.tolist() == [3, 0, 2]
    inputs[:] = 5
    found = rows.advance(inputs)
    for row, prefix in zip([7, 30, 2, 0], ("abc", "", "gf", "abcd"), strict=True):
        token_ids = torch.tensor([[BOUNDARY, *vocabulary.encode(prefix), 5]])
        expected = log_softmax(model(token_ids)[:, -1].numpy())[0]
        np.testing.assert_allclose(found[row], expected, rtol=0, atol=1e-12)


def test_where_states_do_not_fit_a_pass_begins_at_the_nearest_prefix_that_has_one(make_model):
    served = make_model("gru")
    state_bytes = 2 * 8 * 8
    tree = PrefixTree(served[0], 3 * 4 * state_bytes - 1)  # a quarter of it holds no third one
    read(served, tree, ["abcd"])
    rows = Rows(*served)
    chosen = np.array([0, 1, 2])
    nodes = np.concatenate([node_of(served, tree, prefix) for prefix in ("ab", "", "a")])
    assert tree.load_states(nodes, rows.state, chosen).tolist() == [1, 0, 1]
    none = PrefixTree(served[0], NODE_BYTES + 8)
    read(served, none, ["a"])
    assert len(none) == 1
    assert none.load_states(np.array([ROOT]), rows.state, chosen[:1]).tolist() == [-1]


@each_architecture
@pytest.mark.parametrize("memory", [0, 1_000, 30_000])
def test_memory_is_bounded_and_what_does_not_fit_is_left_out(architecture, memory, make_model):
    model, vocabulary = make_model(architecture)
    tree = PrefixTree(model, memory)
    arrays = [value for value in vars(tree).values() if isinstance(value, np.ndarray)]
    assert sum(array.nbytes for array in [*arrays, *tree._states._arrays]) <= memory
    state, rows = Rows(model, vocabulary).state, np.array([0])
    read((model, vocabulary), tree, [prefix for n in (1, 2, 3) for prefix in words(n)])
    assert tree.full == (memory < 30_000)
    assert (len(tree) > 0) == (memory > 0)
    if tree.full:
        assert len(tree.add(np.array([7]), np.zeros((1, 8)), state, rows)) == 0


def words(length: int) -> list[str]:
    return ["".join(letters) for letters in product("abcd", repeat=length)]


def passes(sampler: Sampler, served: Served, request: GenerationRequest, monkeypatch) -> int:
    """How many passes through the model a request takes."""
    count = 0
    advance = Rows.advance

    def counted(*arguments):
        nonlocal count
        count += 1
        return advance(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Rows, "advance", counted)
        job = Job(request, *served)
        sampler.add(job)
        while not job.done:
            sampler.step()
    return count


@each_architecture
def test_what_was_drawn_before_is_drawn_again_without_the_model(
    architecture, make_model, monkeypatch
):
    served = make_model(architecture)
    sampler = Sampler(*served, 50_000_000)
    request = GenerationRequest(1, n=100)
    needed = [passes(sampler, served, request, monkeypatch) for _ in range(70)]
    assert needed[0] > 5 or isinstance(sampler.tree, ContextTable)
    assert needed[-1] == 0  # each time a name adds a prefix, and none has more than 65


@pytest.mark.parametrize(("architecture", "block_size"), [("bigram", 8), ("mlp", 2)])
@pytest.mark.parametrize("memory", [8**4 * 8, 8**3 * 4])
def test_all_that_a_short_memory_can_say_is_in_a_table(
    architecture, block_size, memory, make_model
):
    model, vocabulary = make_model(architecture, block_size=block_size)
    assert fits(model, memory)
    table = ContextTable(model, vocabulary, memory)
    assert len(table) == 8**model.context
    assert (table.error > 0) == (table.log_probs(np.array([0])).dtype == np.float32)
    for word in ("", "a", "gf", "abcdefg"):
        node = np.array([table.root_key])
        for token_id in vocabulary.encode(word):
            node = table.find(table.keys(node, np.array([token_id])))
        token_ids = torch.tensor([[BOUNDARY, *vocabulary.encode(word)]])
        expected = log_softmax(model(token_ids)[:, -1].numpy())
        np.testing.assert_allclose(table.log_probs(node), expected, rtol=1e-6)
    assert not fits(model, 8 ** (model.context + 1) * 4 - 1)

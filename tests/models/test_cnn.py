"""The WaveNet is lecture 6's tree, and its batch normalisation is at rest outside training."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from models.cnn import CNN, dilations
from models.config import ModelConfig
from models.generation import generate
from models.request import GenerationRequest
from models.scoring import score
from models.vocabulary import Vocabulary
from training.corpus import encode_lines
from training.evaluate import mean_nll

WORDS = ["abc", "g", "gfedcba", "aa", "bad", "cab"]


@pytest.fixture
def made(make_model: Callable[..., tuple[CNN, Vocabulary]]) -> tuple[CNN, Vocabulary]:
    return make_model("cnn", block_size=8)


def flatten_consecutive(x: Tensor, n: int = 2) -> Tensor:
    """(B, T, C) to (B, T / n, n * C), as the lecture's layer of that name."""
    batch, time, width = x.shape
    return x.reshape(batch, time // n, n * width)


def tree(model: CNN, windows: Tensor) -> Tensor:
    """(B, 8) windows to (B, V) logits as lecture 6 computes them: 8, 4, 2, 1 vectors."""
    x = model.token_embedding(windows)
    for fusion in model.fusions:
        x = flatten_consecutive(x) @ fusion.linear.weight.T
        norm = fusion.norm
        x = (x - norm.running_mean) / torch.sqrt(norm.running_var + norm.eps)
        x = torch.tanh(x * norm.weight + norm.bias)
    assert x.shape[1] == 1
    return x[:, 0] @ model.lm_head.weight.T + model.lm_head.bias


def test_the_logits_are_those_of_the_lectures_tree(made: tuple[CNN, Vocabulary]) -> None:
    model, vocabulary = made
    generator = torch.Generator().manual_seed(1)
    token_ids = torch.randint(0, len(vocabulary), (5, 20), generator=generator)
    logits = model(token_ids)
    padded = torch.nn.functional.pad(token_ids, (7, 0))  # the lecture begins with boundaries
    for t in range(20):
        expected = tree(model, padded[:, t : t + 8])
        torch.testing.assert_close(logits[:, t], expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("block_size", "expected"),
    [(1, [0]), (2, [1]), (3, [1, 1]), (4, [1, 2]), (8, [1, 2, 4]), (9, [1, 2, 4, 1]),
     (16, [1, 2, 4, 8])],
)  # fmt: skip
def test_the_layers_see_block_size_characters_and_no_more(
    block_size: int, expected: list[int]
) -> None:
    assert dilations(block_size) == expected
    assert sum(expected) == block_size - 1


def test_a_name_scored_alone_or_among_others_has_the_same_nll(
    made: tuple[CNN, Vocabulary],
) -> None:
    model, vocabulary = made
    together = [found.nll for found in score(model, vocabulary, WORDS)]
    assert together == [score(model, vocabulary, [word])[0].nll for word in WORDS]
    alone = [mean_nll(model, *encode_lines([word], vocabulary)) for word in WORDS]
    lengths = [len(word) + 1 for word in WORDS]
    totals = [nll * length for nll, length in zip(alone, lengths, strict=True)]
    assert totals == pytest.approx(together, abs=1e-6)
    mean = sum(totals) / sum(lengths)
    assert mean_nll(model, *encode_lines(WORDS, vocabulary)) == pytest.approx(mean, abs=1e-12)


def test_running_statistics_change_in_training_alone(made: tuple[CNN, Vocabulary]) -> None:
    model, vocabulary = made
    inputs, targets = encode_lines(WORDS, vocabulary)

    def statistics() -> list[Tensor]:
        return [buffer.clone() for buffer in model.buffers()]

    before, at_rest = statistics(), model(inputs)
    score(model, vocabulary, WORDS)
    generate(model, vocabulary, GenerationRequest(5, 20))
    mean_nll(model, inputs, targets)
    mean_nll(model.train(), inputs, targets)
    assert model.training
    assert all(map(torch.equal, before, statistics()))
    learned = model(inputs)
    assert not torch.allclose(learned, at_rest, atol=1e-3)
    assert not any(map(torch.equal, before, statistics()))


def test_a_fresh_model_begins_near_a_uniform_guess() -> None:
    torch.manual_seed(1)
    model = CNN(ModelConfig(block_size=8, vocab_size=27, n_embd=24, n_embd2=128)).eval()
    probs = model(torch.randint(27, (64, 10))).softmax(-1)
    assert probs.max() < 0.5

"""The loss: what is predicted, and what cannot be."""

import math

import pytest
import torch
from torch.nn import functional as F

from models.config import ModelConfig
from models.registry import build_model
from models.vocabulary import BOUNDARY, Vocabulary
from tests.training.conftest import TEXT
from training.corpus import IGNORED
from training.evaluate import mean_nll
from training.loss import cross_entropy
from training.text import encode_text


def test_padding_is_no_part_of_the_mean() -> None:
    logits = torch.randn(2, 3, 5, generator=torch.Generator().manual_seed(1))
    targets = torch.tensor([[1, 0, IGNORED], [4, IGNORED, IGNORED]])
    expected = -torch.stack(
        [logits[b, t].log_softmax(-1)[y] for b, t, y in ((0, 0, 1), (0, 1, 0), (1, 0, 4))]
    )
    torch.testing.assert_close(cross_entropy(logits, targets), expected.mean())
    torch.testing.assert_close(cross_entropy(logits, targets, "sum"), expected.sum())


def test_in_running_text_the_boundary_has_no_probability() -> None:
    logits = torch.randn(2, 3, 5, generator=torch.Generator().manual_seed(2))
    targets = torch.tensor([[1, 2, 4], [3, IGNORED, IGNORED]])
    others = logits[..., BOUNDARY + 1 :].softmax(-1)  # (2, 3, 4)
    chosen = [others[b, t, y - 1] for b, t, y in ((0, 0, 1), (0, 1, 2), (0, 2, 4), (1, 0, 3))]
    loss = cross_entropy(logits, targets, ends=False)
    torch.testing.assert_close(loss, -torch.stack(chosen).log().mean())
    # However likely a model takes it to be.
    sure = logits.clone()
    sure[..., BOUNDARY] = 100.0
    torch.testing.assert_close(cross_entropy(sure, targets, ends=False), loss)
    without = F.cross_entropy(logits[..., 1:].flatten(0, 1), targets.flatten() - 1, ignore_index=-2)
    torch.testing.assert_close(loss, without)


@pytest.mark.parametrize("alphabet", [30, 1578])
def test_a_lookup_table_of_unit_normals_begins_near_a_uniform_guess(alphabet: int) -> None:
    characters = "".join(chr(0xAC00 + i) for i in range(alphabet))
    vocabulary = Vocabulary.of([characters], ends=False)
    torch.manual_seed(1)
    model = build_model("neural-bigram", ModelConfig(block_size=8, vocab_size=len(vocabulary)))
    order = torch.randint(alphabet, (3000,)).tolist()
    data = encode_text("".join(characters[i] for i in order), vocabulary, 8)
    # E[-ln softmax] of unit normals is about ln V + 1/2.
    assert mean_nll(model, *data, ends=False) == pytest.approx(math.log(alphabet) + 0.5, rel=0.1)


def test_a_text_of_few_characters_is_scored_each_once() -> None:
    vocabulary = Vocabulary.of([TEXT], ends=False)
    config = ModelConfig(block_size=8, vocab_size=len(vocabulary), n_embd=8, n_embd2=8)
    model = build_model("gru", config).double()
    inputs, targets = encode_text(TEXT[:20], vocabulary, 8)
    assert inputs.shape == (3, 8)
    log_probs = model(inputs)[..., 1:].log_softmax(-1)
    seen = [(i // 8, i % 8, vocabulary.encode(TEXT[i])[0] - 1) for i in range(20)]
    expected = -sum(log_probs[b, t, y].item() for b, t, y in seen) / 20
    assert mean_nll(model, inputs, targets, ends=False) == pytest.approx(expected, abs=1e-12)

"""The contract of LanguageModel, for every architecture of the registry."""

import numpy as np
import pytest
import torch
from torch import Tensor

from models.base import LanguageModel
from models.checkpoint import load_checkpoint
from models.rows import ROWS, Rows, longest_name
from models.sampling import log_softmax
from models.vocabulary import BOUNDARY
from tests.models.conftest import each_architecture

ROUNDING = 1e-12


def length_of(model: LanguageModel) -> int:
    """As long as the model can read; past its window where the context slides."""
    block_size = model.config.block_size
    return block_size if model.max_length is not None else 2 * block_size + 1


def random_ids(model: LanguageModel, rows: int, length: int | None = None, seed: int = 1) -> Tensor:
    shape = (rows, length or length_of(model))
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, model.config.vocab_size, shape, generator=generator)


@each_architecture
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_there_are_logits_for_every_character_in_the_dtype_of_the_weights(
    architecture, dtype, make_model
):
    model, vocabulary = make_model(architecture, dtype=dtype)
    token_ids = random_ids(model, rows=3)
    logits = model(token_ids)
    assert logits.shape == (*token_ids.shape, len(vocabulary))
    assert logits.dtype == dtype
    stepped, _ = model.step(token_ids[:, 0], model.initial_state(3))
    assert stepped.shape == (3, len(vocabulary))
    assert stepped.dtype == dtype


@each_architecture
def test_different_contexts_give_different_logits(architecture, make_model):
    # Else the tests below would hold for a model that reads nothing.
    model, _ = make_model(architecture)
    logits = model(random_ids(model, rows=2))
    assert not torch.allclose(logits[0], logits[1], atol=1e-3)


@each_architecture
def test_other_rows_of_a_batch_do_not_change_a_row(architecture, make_model):
    model, _ = make_model(architecture)
    token_ids = random_ids(model, rows=8)
    others = random_ids(model, rows=8, seed=2)
    for row in (0, 3, 7):
        changed = others.clone()
        changed[row] = token_ids[row]
        assert torch.equal(model(changed)[row], model(token_ids)[row])
        alone = model(token_ids[row : row + 1])[0]
        torch.testing.assert_close(alone, model(token_ids)[row], rtol=0, atol=ROUNDING)


@each_architecture
def test_future_characters_do_not_change_past_logits(architecture, make_model):
    model, _ = make_model(architecture)
    token_ids = random_ids(model, rows=4)
    logits = model(token_ids)
    for t in range(1, token_ids.shape[1]):
        changed = token_ids.clone()
        changed[:, t:] = random_ids(model, rows=4, seed=2)[:, t:]
        torch.testing.assert_close(model(changed)[:, :t], logits[:, :t], rtol=0, atol=0)
        shorter = model(token_ids[:, :t])
        torch.testing.assert_close(shorter, logits[:, :t], rtol=0, atol=ROUNDING)


@each_architecture
@pytest.mark.parametrize("block_size", [1, 2, 9])
def test_block_size_characters_are_read_and_earlier_ones_refused_or_forgotten(
    architecture, block_size, make_model
):
    model, _ = make_model(architecture, block_size=block_size)
    if model.max_length is not None:  # then a whole name fits, its boundary included
        assert model.max_length == block_size - 1
        token_ids = random_ids(model, rows=2, length=block_size)
        state = model.initial_state(2)
        for t in range(block_size):
            logits, state = model.step(token_ids[:, t], state)
        torch.testing.assert_close(logits, model(token_ids)[:, -1], rtol=0, atol=ROUNDING)
    else:  # then the context slides
        token_ids = random_ids(model, rows=3, length=20)
        changed = random_ids(model, rows=3, length=20, seed=2)
        changed[:, -block_size:] = token_ids[:, -block_size:]
        assert torch.equal(model(token_ids)[:, -1], model(changed)[:, -1])


@each_architecture
def test_the_initial_state_is_the_same_to_the_bit_in_a_batch_of_any_size(architecture, make_model):
    model, _ = make_model(architecture, n_embd=64, n_embd2=64, block_size=16)
    many = model.initial_state(32)
    for size in (1, 2, 7):
        for tensor, expected in zip(model.initial_state(size), many, strict=True):
            assert torch.equal(tensor, expected[:size])


@each_architecture
def test_stepping_gives_the_logits_of_the_full_forward(architecture, make_model):
    model, _ = make_model(architecture)
    token_ids = random_ids(model, rows=5)
    state = model.initial_state(5)
    stepped = []
    for t in range(token_ids.shape[1]):
        logits, state = model.step(token_ids[:, t], state)
        stepped.append(logits)
    torch.testing.assert_close(torch.stack(stepped, dim=1), model(token_ids), rtol=0, atol=ROUNDING)


@each_architecture
def test_rows_at_different_positions_step_as_the_full_forward(architecture, make_model):
    model, vocabulary = make_model(architecture)
    limit = longest_name(model, vocabulary) + 1
    random = np.random.default_rng(0)
    rows = Rows(model, vocabulary)
    read: list[list[int]] = [[] for _ in range(ROWS)]
    restarts = 0
    for _ in range(4 * min(limit, 10)):
        due = [r for r in range(ROWS) if len(read[r]) == limit or random.random() < 0.1]
        restarts += sum(0 < len(read[r]) < limit for r in due)
        rows.restart(np.array(due, dtype=np.int64))
        for r in due:
            read[r] = []
        inputs = random.integers(0, model.config.vocab_size, ROWS)
        inputs[[not characters for characters in read]] = BOUNDARY
        log_probs = rows.advance(inputs)
        for r in range(ROWS):
            read[r].append(int(inputs[r]))
            full = log_softmax(model(torch.tensor([read[r]]))[:, -1].numpy())
            np.testing.assert_allclose(log_probs[r], full[0], rtol=0, atol=ROUNDING)
    assert restarts > 20  # rows were indeed restarted midway


@each_architecture
def test_dropout_does_not_act_outside_training(architecture, make_model):
    model, _ = make_model(architecture)
    dropping, _ = make_model(architecture, dropout=0.5)
    token_ids = random_ids(model, rows=4)
    assert torch.equal(model(token_ids), dropping(token_ids))


@each_architecture
def test_a_saved_model_loads_bit_identical(architecture, make_model, make_checkpoint):
    saved, vocabulary = make_model(architecture)
    loaded = load_checkpoint(make_checkpoint(architecture))
    assert loaded.vocabulary == vocabulary
    weights = loaded.model.state_dict()
    assert weights.keys() == saved.state_dict().keys()
    for name, tensor in saved.state_dict().items():
        assert weights[name].dtype == tensor.dtype
        assert torch.equal(weights[name], tensor), name
    token_ids = random_ids(saved, rows=4)
    assert torch.equal(loaded.model(token_ids), saved(token_ids))

"""Batches are a pure function of (seed, step), and no name or place of a text is left out."""

import pytest
import torch

from models.registry import build_model
from models.vocabulary import BOUNDARY, Vocabulary
from tests.training.conftest import NAMES, TEXT, TINY, VOCABULARY
from training.batches import LineBatches, Part, TextBatches, epoch_rows, trim
from training.corpus import IGNORED, CorpusError, encode_lines
from training.fit import make_batches
from training.loss import cross_entropy
from training.recipes import Descent, Recipe

TEXT_VOCABULARY = Vocabulary.of([TEXT], ends=False)


def line_batches(batch_size: int = 8, parts: int = 3, seed: int = 1) -> LineBatches:
    return LineBatches(NAMES, NAMES[:6], VOCABULARY, batch_size=batch_size, parts=parts, seed=seed)


def text_batches(
    text: str = TEXT, block_size: int = 8, batch_size: int = 4, seed: int = 1
) -> TextBatches:
    return TextBatches(
        text, text, TEXT_VOCABULARY, block_size=block_size, batch_size=batch_size, seed=seed
    )


def names_in(parts: list[Part]) -> list[str]:
    rows = [row[row > BOUNDARY].tolist() for _, targets in parts for row in targets]
    return [VOCABULARY.decode(row) for row in rows]


def equal(parts: list[Part], others: list[Part]) -> bool:
    pairs = list(zip(parts, others, strict=True))
    return all(torch.equal(x, a) and torch.equal(y, b) for (x, y), (a, b) in pairs)


def test_every_row_is_seen_once_an_epoch_in_an_order_of_its_own() -> None:
    epochs = [[int(r) for step in range(4 * e, 4 * e + 4) for r in epoch_rows(step, 8, 30, 1)]
              for e in range(2)]  # fmt: skip
    assert sorted(epochs[0]) == sorted(epochs[1]) == list(range(30))
    assert epochs[0] != epochs[1]


def test_every_name_is_in_one_batch_of_an_epoch() -> None:
    batches = line_batches()
    steps = -(-len(NAMES) // 8)
    for epoch in range(2):
        seen = [n for s in range(steps) for n in names_in(batches.batch(epoch * steps + s))]
        assert sorted(seen) == sorted(NAMES)


def test_the_parts_of_a_batch_are_of_like_length_and_hold_no_needless_padding() -> None:
    for step in range(5):
        parts = line_batches(batch_size=12, parts=3).batch(step)
        lengths = [(targets != IGNORED).sum(1) for _, targets in parts]
        assert [len(part) for part in lengths] == [4, 4, 4]
        for shorter, longer in zip(lengths, lengths[1:], strict=False):
            assert shorter.max() <= longer.min()
        for (inputs, targets), length in zip(parts, lengths, strict=True):
            assert inputs.shape == targets.shape == (4, int(length.max()))


@pytest.mark.parametrize("parts", [1, 2, 3, 8, 100])
def test_a_batch_gives_the_same_loss_in_any_number_of_parts(parts: int) -> None:
    recipe = TINY["transformer"]
    model = build_model("transformer", recipe.model_config(len(VOCABULARY), 5)).double().eval()
    for step in range(3):
        whole = line_batches(parts=1).batch(step)
        cut = line_batches(parts=parts).batch(step)
        assert sorted(names_in(cut)) == sorted(names_in(whole))
        losses = [
            sum(cross_entropy(model(x), y, "sum").item() for x, y in one) for one in (whole, cut)
        ]
        assert losses[0] == pytest.approx(losses[1], abs=1e-10)


@pytest.mark.parametrize("size", [2, 3, 11])
def test_processes_share_a_batch_and_none_is_learned_twice(size: int) -> None:
    for step in range(6):
        shares = [line_batches().batch(step, rank, size) for rank in range(size)]
        together = [name for share in shares for name in names_in(share)]
        assert sorted(together) == sorted(names_in(line_batches().batch(step)))
        chunks = [targets for rank in range(size) for _, targets in
                  text_batches().batch(step, rank, size)]  # fmt: skip
        whole = text_batches().batch(step)[0][1]
        assert sorted(torch.cat(chunks).tolist()) == sorted(whole.tolist())


@pytest.mark.parametrize("make", [line_batches, text_batches])
def test_a_batch_depends_on_seed_and_step_alone(make) -> None:  # type: ignore[no-untyped-def]
    used = make()
    for step in (5, 0, 9):
        used.batch(step)
    torch.manual_seed(99)
    assert equal(used.batch(3), make().batch(3))
    assert not equal(make(batch_size=4).batch(3), make(batch_size=4).batch(4))
    assert not equal(make(batch_size=4).batch(3), make(batch_size=4, seed=2).batch(3))


def test_a_chunk_is_a_stretch_of_the_text_after_a_boundary() -> None:
    ((inputs, targets),) = text_batches().batch(0)
    assert inputs.shape == targets.shape == (4, 8)
    assert (inputs[:, 0] == BOUNDARY).all()
    assert torch.equal(inputs[:, 1:], targets[:, :-1])
    for row in targets.tolist():
        assert TEXT_VOCABULARY.decode(row) in TEXT


def test_a_chunk_may_begin_at_every_place_that_leaves_it_whole() -> None:
    text = "나는 학교에 간다"
    batches = text_batches(text, block_size=3, batch_size=200)
    ((_, targets),) = batches.batch(0)
    chunks = {TEXT_VOCABULARY.decode(row) for row in targets.tolist()}
    assert chunks == {text[i : i + 3] for i in range(len(text) - 2)}
    ((_, whole),) = text_batches(text, block_size=len(text)).batch(0)
    assert {TEXT_VOCABULARY.decode(row) for row in whole.tolist()} == {text}


def test_a_text_shorter_than_a_chunk_is_refused() -> None:
    recipe = Recipe("neural-bigram", Descent(steps=1), kind="text", block_size=8)
    with pytest.raises(CorpusError, match="7 characters to train on; allowed: at least block_size"):
        make_batches(recipe, TEXT_VOCABULARY, [TEXT[:7]], [TEXT], block_size=8, seed=1)


def test_held_out_text_is_looked_at_whole_each_character_once() -> None:
    batches = text_batches(TEXT[:1003])
    inputs, targets = batches.dev
    assert (inputs[:, 0] == BOUNDARY).all()
    assert TEXT_VOCABULARY.decode(targets[targets != IGNORED].tolist()) == TEXT[:1003]
    assert inputs.min() >= BOUNDARY


def test_trimming_padding_does_not_change_the_loss() -> None:
    recipe = TINY["transformer"]
    model = build_model("transformer", recipe.model_config(len(VOCABULARY), 6)).double().eval()
    inputs, targets = encode_lines(["ka", "mi"], VOCABULARY)
    wide = (
        torch.nn.functional.pad(inputs, (0, 2)),
        torch.nn.functional.pad(targets, (0, 2), value=IGNORED),
    )
    narrow = trim(*wide)
    assert [tuple(part.shape) for part in narrow] == [(2, 3), (2, 3)]
    losses = [cross_entropy(model(i), t).item() for i, t in (wide, narrow)]
    assert losses[0] == pytest.approx(losses[1], abs=1e-12)

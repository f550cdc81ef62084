"""n-grams against counts by hand, over dictionaries."""

from collections import Counter, defaultdict
from collections.abc import Sequence

import pytest
import torch

from models.config import ModelConfig
from models.ngram import NGram
from models.registry import build_model
from models.vocabulary import BOUNDARY, Vocabulary
from tests.training.conftest import NAMES, VOCABULARY
from training.corpus import encode_lines
from training.counting import ngram_counts
from training.evaluate import mean_nll
from training.fit import fit
from training.recipes import Discounting, Recipe

UNSEEN = ["kimra", "tttt", "aaa", "mek", "nilra"]


def counted_by_hand(names: Sequence[str], block_size: int) -> Counter[tuple[int, ...]]:
    """Kneser and Ney's counts of each n-gram that ends in a predicted character."""
    occurred: Counter[tuple[int, ...]] = Counter()
    before = defaultdict(set)
    for name in names:
        ids = [BOUNDARY, *VOCABULARY.encode(name), BOUNDARY]
        for end in range(1, len(ids)):
            for start in range(max(0, end - block_size), end + 1):
                gram = tuple(ids[start : end + 1])
                occurred[gram] += 1
                if start:
                    before[gram].add(ids[start - 1])
    return Counter(
        {
            gram: len(before[gram]) if len(gram) <= block_size and before[gram] else often
            for gram, often in occurred.items()
        }
    )


def probability(
    counts: Counter[tuple[int, ...]], context: tuple[int, ...], discount: float
) -> list[float]:
    """V probabilities after a context by the book, from the longest suffix down."""
    size = len(VOCABULARY)
    shorter = probability(counts, context[1:], discount) if context else [1 / size] * size
    own = [counts[(*context, v)] for v in range(size)]
    if (total := sum(own)) == 0:
        return shorter
    shared = discount * sum(c > 0 for c in own)
    return [(max(c - discount, 0) + shared * p) / total for c, p in zip(own, shorter, strict=True)]


def fit_ngram(block_size: int, discount: float, names: Sequence[str] = NAMES) -> NGram:
    recipe = Recipe("ngram", Discounting(discount), block_size=block_size)
    model = fit(recipe, VOCABULARY, names, NAMES, seed=0).model
    assert isinstance(model, NGram)
    return model.double()


@pytest.mark.parametrize("block_size", [1, 2, 4, 9])
def test_there_is_a_node_and_a_count_for_every_ngram(block_size: int) -> None:
    expected = counted_by_hand(NAMES, block_size)
    _, targets = encode_lines(NAMES, VOCABULARY)
    keys, cumulative = ngram_counts(targets, len(VOCABULARY), block_size)
    spelled: list[tuple[int, ...]] = [()]
    for key in keys.tolist():  # a node is numbered after that of its beginning
        spelled.append((*spelled[key // len(VOCABULARY)], key % len(VOCABULARY)))
    assert dict(zip(spelled[1:], cumulative.diff().tolist(), strict=True)) == expected
    assert torch.equal(keys, keys.unique(sorted=True))


@pytest.mark.parametrize("discount", [0.25, 0.75, 1.0])
@pytest.mark.parametrize("block_size", [1, 2, 4, 9])
def test_probabilities_are_those_of_the_book(block_size: int, discount: float) -> None:
    counts = counted_by_hand(NAMES, block_size)
    model = fit_ngram(block_size, discount)
    inputs, targets = encode_lines([*NAMES[:9], *UNSEEN], VOCABULARY)
    probs = model(inputs).exp()
    torch.testing.assert_close(probs.sum(-1), torch.ones(inputs.shape).double())
    for row, ids in enumerate(inputs.tolist()):
        for t in range(int((targets[row] >= 0).sum())):
            context = tuple(ids[max(0, t + 1 - block_size) : t + 1])
            expected = torch.tensor(probability(counts, context, discount), dtype=torch.float64)
            torch.testing.assert_close(probs[row, t], expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("block_size", [1, 4, 9])
def test_distributions_that_are_kept_are_those_that_would_be_computed(
    block_size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs, _ = encode_lines([*NAMES, *UNSEEN], VOCABULARY)
    kept = fit_ngram(block_size, 0.5)(inputs)
    monkeypatch.setattr("models.ngram._TABLE_LIMIT", 0)
    assert torch.equal(fit_ngram(block_size, 0.5)(inputs), kept)


def test_distributions_of_other_counts_are_not_kept() -> None:
    inputs, _ = encode_lines(UNSEEN, VOCABULARY)
    model, other = fit_ngram(2, 0.5), fit_ngram(2, 0.75)
    model(inputs)
    model.load_state_dict(other.state_dict())
    assert torch.equal(model(inputs), other(inputs))
    model.set_counts(model.keys, model.cumulative, 0.25)
    assert torch.equal(model(inputs), fit_ngram(2, 0.25)(inputs))


def test_what_a_longer_context_lacks_the_shorter_one_gives() -> None:
    model = fit_ngram(block_size=2, discount=0.5, names=["ka", "ka", "ma"] * 4)
    assert mean_nll(model, *encode_lines(["ka"], VOCABULARY)) < 0.5
    inputs, _ = encode_lines(["a"], VOCABULARY)  # no name begins with a
    assert model(inputs)[0, 1].argmax() == BOUNDARY


def test_large_alphabets_do_not_overflow() -> None:
    names = [chr(0x4E00 + i) + chr(0x4E00 + 7 * i % 9000) for i in range(9000)]
    vocabulary = Vocabulary.of(names)
    recipe = Recipe("ngram", Discounting(0.5), block_size=4)
    model = fit(recipe, vocabulary, names, names[:50], seed=0).model
    assert mean_nll(model, *encode_lines(names[:50], vocabulary)) < 6


def test_before_anything_is_counted_every_character_is_as_probable_as_any_other() -> None:
    model = build_model("ngram", ModelConfig(block_size=3, vocab_size=7, n_grams=20))
    logits = model(torch.tensor([[0, 3, 2, 5]]))
    torch.testing.assert_close(logits.exp(), torch.full((1, 4, 7), 1 / 7))

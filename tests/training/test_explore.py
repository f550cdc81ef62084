"""The lectures' facts, as design and notebooks state them."""

from pathlib import Path

import pytest
import torch

from models.bigram import Bigram
from models.config import ModelConfig
from models.vocabulary import Vocabulary
from training.corpus import encode_lines, read_corpus
from training.counting import count
from training.evaluate import mean_nll
from training.explore import bigram_counts, explore, lecture_samples


@pytest.fixture
def lecture(names_path: Path) -> tuple[tuple[str, ...], Vocabulary, Bigram]:
    lines = read_corpus(names_path).items
    vocabulary = Vocabulary.of(lines)
    model = Bigram(ModelConfig(block_size=1, vocab_size=27)).double()
    count(model, *encode_lines(lines, vocabulary), smoothing=0.0)
    return lines, vocabulary, model


def test_bigram_counts_are_the_lectures(names_path: Path) -> None:
    counts = bigram_counts(read_corpus(names_path).items)
    assert counts.total() == 228_146
    assert counts.most_common(5) == [
        ("n.", 6763), ("a.", 6640), ("an", 5438), (".a", 4410), ("e.", 3983),
    ]  # fmt: skip
    assert counts[".a"] / 32_033 == pytest.approx(0.1377, abs=5e-5)


@pytest.mark.parametrize(("smoothing", "nll"), [(0.0, 2.4540), (1.0, 2.4546)])
def test_bigram_nll_is_the_lectures(lecture, smoothing: float, nll: float) -> None:
    lines, vocabulary, model = lecture
    data = encode_lines(lines, vocabulary)
    count(model, *data, smoothing=smoothing)
    assert mean_nll(model, *data) == pytest.approx(nll, abs=5e-5)


def test_andrejq_is_impossible_without_smoothing_and_3_4834_with(lecture) -> None:
    lines, vocabulary, model = lecture
    word = encode_lines(["andrejq"], vocabulary)
    assert mean_nll(model, *word) == float("inf")
    count(model, *encode_lines(lines, vocabulary), smoothing=1.0)
    assert mean_nll(model, *word) == pytest.approx(3.4834, abs=5e-5)


@pytest.mark.skipif(
    not torch.__version__.startswith("2."), reason="torch.multinomial's stream has changed before"
)
def test_torch_generator_gives_the_notebooks_names(lecture) -> None:
    _, vocabulary, model = lecture
    assert lecture_samples(model.float(), vocabulary) == [
        "cexze", "momasurailezitynn", "konimittain", "llayn", "ka",
    ]  # fmt: skip


def test_the_report_holds_the_facts(names_path: Path) -> None:
    report = explore(read_corpus(names_path))
    for fact in (
        "names 32,033, distinct 29,494",
        "alphabet of 26: abcdefghijklmnopqrstuvwxyz",
        "lengths 2 to 15, mean 6.12",
        "228,146",
        "add 0: NLL 2.4540",
        "add 1: NLL 2.4546",
        "add 1: andrejq 3.4834",
    ):
        assert fact in report


def test_a_corpus_of_another_alphabet_is_reported_too(tmp_path: Path) -> None:
    path = tmp_path / "names.txt"
    path.write_text(
        "\n".join(["민준", "서연", "지우", "Zoë", "O’Neil", "Ana", "Bo", "Cy", "Di", "Ed"] * 2),
        encoding="utf-8",
    )
    report = explore(read_corpus(path))
    assert "names 20, distinct 10" in report
    assert "andrejq" not in report

"""What is in a corpus: the facts that the lectures begin with, as text."""

import math
from collections import Counter
from collections.abc import Iterable

import torch

from models.bigram import Bigram
from models.config import ModelConfig
from models.vocabulary import BOUNDARY, Vocabulary
from training.corpus import Corpus, encode_lines
from training.counting import count
from training.evaluate import mean_nll

LECTURE_SEED = 2147483647
_BAR = 50
_SHOWN = 30


def explore(corpus: Corpus) -> str:
    """A report of several sections, lines separated by newlines."""
    sections = [
        _summary(corpus),
        _table("Characters", Counter("".join(corpus.items)).most_common()),
        _lengths(corpus.items),
        _bigrams(corpus.items),
        _lecture(corpus),
    ]
    return "\n\n".join(sections)


def bigram_counts(lines: Iterable[str]) -> Counter[str]:
    """How often each pair of neighbours occurs; `.` stands for start and end."""
    return Counter(a + b for line in lines for a, b in zip("." + line, line + ".", strict=True))


def lecture_samples(model: Bigram, vocabulary: Vocabulary, n: int = 5) -> list[str]:
    """Names as the lecture draws them: torch.Generator seed 2147483647, torch.multinomial.

    The service's own stream is another one (models/randomness.py); this shows how
    to get the notebook's names, which depend on the version of torch.
    """
    generator = torch.Generator().manual_seed(LECTURE_SEED)
    probs = model(torch.arange(len(vocabulary))[None])[0].exp()  # (V, V)
    names = []
    for _ in range(n):
        token_ids: list[int] = []
        token_id = BOUNDARY
        while True:
            row = probs[token_id]
            token_id = int(torch.multinomial(row, 1, replacement=True, generator=generator))
            if token_id == BOUNDARY:
                break
            token_ids.append(token_id)
        names.append(vocabulary.decode(token_ids))
    return names


def _summary(corpus: Corpus) -> str:
    lengths = [len(line) for line in corpus.items]
    alphabet = sorted(set("".join(corpus.items)))
    shown = "".join(alphabet[:80]) + (" …" if len(alphabet) > 80 else "")
    return "\n".join(
        [
            f"{corpus.name}, sha256 {corpus.sha256}",
            f"names {len(corpus.items):,}, distinct {len(set(corpus.items)):,}",
            f"alphabet of {len(alphabet)}: {shown}",
            f"lengths {min(lengths)} to {max(lengths)}, mean {sum(lengths) / len(lengths):.2f}",
        ]
    )


def _lengths(lines: Iterable[str]) -> str:
    lengths = Counter(map(len, lines))
    return _table("Lengths", [(str(length), lengths[length]) for length in sorted(lengths)])


def _table(title: str, counts: list[tuple[str, int]]) -> str:
    """A bar chart in text: the share of each count, the longest bar _BAR wide."""
    total, most = sum(c for _, c in counts), max(c for _, c in counts)
    shown = [
        f"  {label!s:>4} {c:>8,} {c / total:>7.2%} {'█' * math.ceil(_BAR * c / most)}"
        for label, c in counts[:_SHOWN]
    ]
    if len(counts) > _SHOWN:
        shown.append(f"  … and {len(counts) - _SHOWN:,} more")
    return "\n".join([title, *shown])


def _bigrams(lines: Iterable[str]) -> str:
    counts = bigram_counts(lines)
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    most = "  ".join(f"{pair} {c:,}" for pair, c in ordered[:10])
    least = "  ".join(f"{pair} {c:,}" for pair, c in ordered[-10:])
    return "\n".join(
        [
            f"Bigrams: {counts.total():,}, distinct {len(counts):,} (. is start and end)",
            f"  most common   {most}",
            f"  least common  {least}",
        ]
    )


def _lecture(corpus: Corpus) -> str:
    """The bigram model of the lecture, with and without smoothing."""
    vocabulary = corpus.vocabulary
    data = encode_lines(corpus.items, vocabulary)
    shown = ["The lecture's bigram model, counted over everything"]
    model = Bigram(ModelConfig(block_size=1, vocab_size=len(vocabulary))).double()
    for smoothing in (0.0, 1.0):
        count(model, *data, smoothing=smoothing)
        shown.append(f"  add {smoothing:g}: NLL {mean_nll(model, *data):.4f} per character")
        if set("andrejq") <= set(vocabulary.characters):
            rare = mean_nll(model, *encode_lines(["andrejq"], vocabulary))
            shown.append(f"  add {smoothing:g}: andrejq {rare:.4f} per character")
    count(model, *data, smoothing=0.0)
    samples = " ".join(lecture_samples(model.float(), vocabulary))
    shown.append(f"  torch.Generator seed {LECTURE_SEED}, torch {torch.__version__}: {samples}")
    return "\n".join(shown)

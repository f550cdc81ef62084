import math
import re
from itertools import count
from pathlib import Path

import pytest

from models.errors import ConfigError
from models.vocabulary import Vocabulary
from training.__main__ import main
from training.lr_find import MIN_STEPS, find_rate, smooth
from training.recipes import Descent, Recipe
from training.run import Run

NAMES = [a + b + c for a in "kmt" for b in "aei" for c in ("", "n", "ra", "lia")]
VOCABULARY = Vocabulary.of(NAMES)
METHOD = Descent(steps=1, batch_size=8, warmup_steps=0, parts=1)
TINY = Recipe("bow", METHOD, n_embd=8, n_embd2=8)


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    path = tmp_path / "names.txt"
    path.write_text("\n".join(NAMES), encoding="utf-8")
    return path


def test_a_sweep_suggests_a_tenth_of_the_rate_of_the_lowest_loss() -> None:
    sweep = find_rate(TINY, METHOD, VOCABULARY, NAMES, NAMES, seed=1, steps=60, first=1e-4)
    assert sweep.finished
    lowest = min(range(len(sweep.rates)), key=lambda i: sweep.smoothed[i])
    assert sweep.suggested == pytest.approx(sweep.rates[lowest] / 10)
    assert sweep.smoothed[lowest] < sweep.smoothed[0]
    assert (sweep.rates[0], len(sweep.losses)) == (pytest.approx(1e-4), len(sweep.rates))
    ratios = {round(b / a, 9) for a, b in zip(sweep.rates, sweep.rates[1:], strict=False)}
    assert len(ratios) == 1


def test_the_same_seed_gives_the_same_sweep_and_another_seed_another() -> None:
    first, again, other = (
        find_rate(TINY, METHOD, VOCABULARY, NAMES, NAMES, seed=seed, steps=20) for seed in (1, 1, 2)
    )
    assert first == again
    assert first.losses != other.losses


def test_the_first_loss_is_that_of_a_model_that_has_learned_nothing() -> None:
    sweep = find_rate(
        TINY, METHOD, VOCABULARY, NAMES, NAMES, seed=1, steps=20, first=1e-9, last=1e-8
    )
    assert sweep.losses[0] == pytest.approx(math.log(len(VOCABULARY)), abs=0.5)
    assert max(sweep.smoothed) - min(sweep.smoothed) < 0.5  # nor does it learn at such rates


def test_a_sweep_ends_when_the_loss_has_left_for_good() -> None:
    sweep = find_rate(TINY, METHOD, VOCABULARY, NAMES, NAMES, seed=1, steps=100, last=1e6)
    assert sweep.diverged
    assert sweep.finished
    assert len(sweep.rates) < 100
    assert all(loss <= 4 * min(sweep.losses) for loss in sweep.losses)
    assert not sweep.still_falling


def test_a_sweep_that_ends_while_the_loss_falls_says_so() -> None:
    sweep = find_rate(TINY, METHOD, VOCABULARY, NAMES, NAMES, seed=1, steps=60, last=1e-2)
    assert sweep.still_falling


def test_a_sweep_from_a_rate_that_diverges_at_once_is_refused() -> None:
    with pytest.raises(ConfigError, match="diverged after .* begin below 10000"):
        find_rate(TINY, METHOD, VOCABULARY, NAMES, NAMES, seed=1, steps=50, first=1e4, last=1e9)


def test_a_sweep_that_is_asked_to_stop_is_not_finished() -> None:
    asked = count()
    run = Run(stop=lambda: next(asked) >= 5)
    sweep = find_rate(TINY, METHOD, VOCABULARY, NAMES, NAMES, seed=1, steps=50, run=run)
    assert (sweep.finished, sweep.diverged, len(sweep.losses)) == (False, False, 5)
    at_once = Run(stop=lambda: True)
    sweep = find_rate(TINY, METHOD, VOCABULARY, NAMES, NAMES, seed=1, steps=50, run=at_once)
    assert (sweep.finished, sweep.losses) == (False, ())


def test_smoothing_keeps_a_constant_and_does_not_shift_a_valley() -> None:
    assert smooth([2.0] * 9, 3.0) == pytest.approx([2.0] * 9)
    valley = [abs(i - 20.0) for i in range(41)]
    smoothed = smooth(valley, 2.0)
    assert min(range(41), key=lambda i: smoothed[i]) == 20


def test_the_verb_prints_a_table_and_draws_the_curve(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "lr.svg"
    arguments = ["lr-find", "--recipe", "bow", "--data", str(corpus), "--steps", "30"]
    assert main([*arguments, "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert re.search(r"suggested: \d\.\de-0\d; the recipe has \d\.\de-0\d", printed)
    assert len(re.findall(r"^ +\d\.\de[+-]\d\d +\d\.\d{4}$", printed, re.MULTILINE)) == 12
    assert out.read_bytes().startswith(b"<svg")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lr.svg", "names.txt"]
    first = out.read_bytes()
    assert main([*arguments, "--out", str(out)]) == 0
    assert out.read_bytes() == first


def test_the_verb_takes_a_recipe_of_running_text(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "text.txt"
    path.write_text("a long story about nothing at all\n" * 50, encoding="utf-8")
    arguments = ["lr-find", "--recipe", "korean-lookup", "--data", str(path), "--steps", "20"]
    assert main(arguments) == 0
    assert "suggested" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--recipe", "bigram"], "bigram is not fitted by gradient descent on batches; those"),
        (["--recipe", "mixture"], "those that are: mlp, mlp-lecture, bow, rnn, gru"),
        (["--recipe", "markov"], "unknown recipe 'markov'"),
        (["--recipe", "bow", "--data", "nowhere.txt"], "nowhere.txt: cannot be read"),
        (["--recipe", "bow", "--steps", "2"], f"steps must be at least {MIN_STEPS}, not 2"),
        (["--recipe", "bow", "--from", "1", "--to", "0.1"], "not from 1 to 0.1"),
        (["--recipe", "bow", "--from", "0"], "rates must be above 0"),
        (["--recipe", "bow", "--to", "nan"], "rates must be above 0"),
        (["--recipe", "bow", "--out", "nowhere/lr.svg"], "there is no folder nowhere"),
        (["--recipe", "bow", "--out", "lr.png"], "must end in .svg"),
    ],
)
def test_a_mistake_is_said_in_a_line(
    arguments: list[str], said: str, corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["lr-find", "--data", str(corpus), *arguments]) == 1
    assert said in capsys.readouterr().err


def test_a_file_that_is_no_svg_is_not_replaced(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = tmp_path / "letter.svg"
    kept.write_text("Dear reader")
    assert main(["lr-find", "--recipe", "bow", "--data", str(corpus), "--out", str(kept)]) == 1
    assert "is there and is no SVG" in capsys.readouterr().err
    assert kept.read_text() == "Dear reader"

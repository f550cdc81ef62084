"""Percentiles among held-out names, by counting; and what the file keeps of the names."""

import math
import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.checkpoint import load_checkpoint, replace_held_out, replace_plots
from models.errors import CheckpointError
from models.held_out import (
    LIKE_LENGTH,
    MOST_NAMES,
    QUANTILES,
    HeldOut,
    held_out_from_json,
    held_out_to_json,
)
from models.scoring import score
from tests.exact import bundled, bundled_ids
from tests.models.conftest import flip, refusal, rewrite
from training.corpus import read_corpus, split_corpus

STEP = 100 / (QUANTILES - 1)
"""The most, in percent, by which a percentile can differ from that among the very names."""

nlls = st.integers(0, 4000).map(lambda thousandths: thousandths / 1000)
scored_names = st.lists(st.tuples(st.integers(1, 15), nlls), min_size=1, max_size=200)


def held_out(scored: list[tuple[int, float]]) -> HeldOut:
    return HeldOut.of("makemore", ("dev", "test"), False, scored)


def counted(nlls: list[float], value: float) -> float:
    """Percent of the NLLs that are above a value, those that are equal counted half."""
    return 100 * sum((nll > value) + (nll == value) / 2 for nll in nlls) / len(nlls)


def names_like(scored: list[tuple[int, float]], length: int) -> list[float]:
    """The NLLs of the names of like length, by widening until there are enough."""
    for reach in range(100):
        near = [nll for other, nll in scored if abs(other - length) <= reach]
        if len(near) >= LIKE_LENGTH:
            return near
    return [nll for _, nll in scored]


def few_a_length(scored: list[tuple[int, float]]) -> list[tuple[int, float]]:
    """As many of a length as the file keeps one by one."""
    lengths = {length for length, _ in scored}
    kept = ([one for one in scored if one[0] == length][:QUANTILES] for length in lengths)
    return [one for some in kept for one in some]


@given(scored_names, st.integers(1, 64), nlls | st.just(math.inf))
def test_percentiles_are_those_of_counting_the_names(scored, length, value):
    scored = few_a_length(scored)
    found = held_out(scored).percentiles(length, value)
    assert found.overall == pytest.approx(counted([nll for _, nll in scored], value))
    assert found.like_length == pytest.approx(counted(names_like(scored, length), value))


def test_ties_count_half_and_the_more_plausible_is_higher():
    among = held_out([(3, 1.0), (3, 2.0), (4, 2.0), (4, 3.0)])
    overall = [among.percentiles(3, nll).overall for nll in (0.5, 1.0, 2.0, 2.5, 3.0, 9, math.inf)]
    assert overall == [100, 87.5, 50, 25, 12.5, 0, 0]


@given(scored_names, st.integers(1, 64), nlls, nlls)
def test_the_more_plausible_never_has_the_lower_percentile(scored, length, one, other):
    among = held_out(scored * 5)
    better, worse = (among.percentiles(length, nll) for nll in sorted((one, other)))
    assert 0 <= worse.overall <= better.overall <= 100
    assert 0 <= worse.like_length <= better.like_length <= 100


def test_lengths_widen_evenly_until_there_are_a_hundred_names():
    counts = {2: 10, 4: 60, 5: 100, 6: 39, 7: 1, 9: 200}
    among = held_out([(length, 2.0) for length, count in counts.items() for _ in range(count)])
    assert among.like_lengths(5) == (5,)
    assert among.like_lengths(4) == (4, 5)
    assert among.like_lengths(6) == (5, 6, 7)
    assert among.like_lengths(2) == (2, 4, 5)  # 1 to 5: to 4, it is but 70
    assert among.like_lengths(1) == (2, 4, 5)
    assert among.like_lengths(8) == (7, 9)
    assert among.like_lengths(64) == (9,)
    few = held_out([(3, 1.0), (5, 2.0)])
    assert few.like_lengths(3) == few.like_lengths(64) == (3, 5)


def test_of_many_names_a_percentile_is_less_than_a_step_from_the_true_one():
    dice = random.Random(0)
    scored = [
        (length, dice.gammavariate(9, 0.27)) for length in range(2, 9) for _ in range(40 * length)
    ]
    among = held_out(scored)
    for length in range(1, 12):
        for value in (nll for _, nll in scored[::7]):
            found = among.percentiles(length, value)
            assert abs(found.overall - counted([nll for _, nll in scored], value)) < STEP
            assert abs(found.like_length - counted(names_like(scored, length), value)) < STEP


@given(scored_names, st.booleans())
def test_what_is_written_is_read_again(scored, seen):
    written = replace(held_out(scored * 3), seen=seen)
    data = held_out_to_json(written)
    assert held_out_from_json(data) == written
    assert held_out_to_json(held_out_from_json(data)) == data


@pytest.mark.parametrize("scored", [[], [(3, math.inf)], [(3, math.nan)], [(3, 1.0)] * 10_001])
def test_names_that_say_nothing_are_refused(scored):
    assert MOST_NAMES == 10_000
    with pytest.raises(ValueError, match="names|impossible"):
        held_out(scored)


# ---------------------------------------------------------------- the bundled models


@pytest.mark.parametrize("model_id", bundled_ids("lines"))
def test_a_bundled_model_s_percentiles_are_those_of_its_file(model_id):
    among = bundled(model_id).held_out
    assert among is not None
    kept = [
        (length, thousandths)
        for length, some in among.nlls.items()
        for thousandths in np.interp(
            np.linspace(0, 1, among.names[length]), np.linspace(0, 1, len(some)), some
        )
    ]
    for length in (1, 3, 6, 9, 64):
        for value in (0.5, 1.7305, 2.0005, 2.4005, 3.1005, 9.9):
            found = among.percentiles(length, value)
            above = [(other, float(thousandths) / 1000) for other, thousandths in kept]
            assert found.overall == pytest.approx(counted([nll for _, nll in above], value))
            assert found.like_length == pytest.approx(counted(names_like(above, length), value))


@pytest.mark.parametrize("model_id", ["bigram", "gru-ngram", "ngram", "transformer"])
def test_a_bundled_model_s_percentiles_are_near_those_among_the_very_names(model_id, names_path):
    checkpoint = bundled(model_id)
    among = checkpoint.held_out
    assert among is not None
    assert among.seen == (model_id == "bigram")
    split = split_corpus(read_corpus(names_path).items, "makemore")
    names = {*split.dev, *split.test} - (set() if among.seen else set(split.train))
    assert sum(among.names.values()) == len(names)

    def scored(words: list[str]) -> list[tuple[int, float]]:
        scores = score(checkpoint.model, checkpoint.vocabulary, words)
        return [(len(found.word), found.nll_per_char) for found in scores]

    measured = scored(sorted(names))
    faults = []
    for length, nll in measured[::8] + scored(sorted(split.train)[::200]):
        found = among.percentiles(length, nll)
        faults += [
            abs(found.overall - counted([other for _, other in measured], nll)),
            abs(found.like_length - counted(names_like(measured, length), nll)),
        ]
    assert max(faults) < STEP
    assert sum(faults) / len(faults) < 0.6


# ---------------------------------------------------------------- the file in a checkpoint


def test_names_are_replaced_and_nothing_else_changes(make_checkpoint):
    folder = make_checkpoint("transformer")
    before = load_checkpoint(folder)
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    for names in (held_out([(3, 1.25), (4, 2.5)]), held_out([(2, 1.0)]), None):
        replace_held_out(folder, names)
        loaded = load_checkpoint(folder)
        assert loaded.held_out == names
        assert loaded.fingerprint == before.fingerprint
        rest = {path.name: path.read_bytes() for path in folder.iterdir()}
        rest.pop("held_out.json", None)
        assert {**rest, "manifest.json": b""} == {**files, "manifest.json": b""}
    assert rest == files


def test_pictures_that_are_replaced_leave_the_names(make_checkpoint):
    folder = make_checkpoint("bigram")
    replace_held_out(folder, held_out([(3, 1.25)]))
    svg = b'<svg xmlns="http://www.w3.org/2000/svg"><title>NLL</title></svg>'
    for plots in ({"nll": svg}, {}):
        replace_plots(folder, plots)
        assert load_checkpoint(folder).held_out == held_out([(3, 1.25)])
    replace_plots(folder, {"nll": svg})
    replace_held_out(folder, None)
    assert load_checkpoint(folder).plots == {"nll": svg}


SOUND = b'{"split":"clean","parts":["dev"],"seen":true,"names":{"3":2},"nlls":{"3":[1250,5]}}\n'


def test_a_sound_file_is_read(make_checkpoint):
    folder = make_checkpoint("bigram")
    rewrite(folder, "held_out.json", SOUND)
    loaded = load_checkpoint(folder).held_out
    assert loaded == HeldOut("clean", ("dev",), True, {3: 2}, {3: (1250, 1255)})
    assert held_out_to_json(loaded) == SOUND


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (SOUND, b""),
        (SOUND, b"[]"),
        (SOUND, b"null"),
        (SOUND, b"[" * 100_000),
        (b'"clean"', b'"cl\xff"'),
        (b'"clean"', b"7"),
        (b'"clean"', b'""'),
        (b'["dev"]', b'"dev"'),
        (b'["dev"]', b"[]"),
        (b'["dev"]', b"[[]]"),
        (b'["dev"]', b"null"),
        (b"true", b"1"),
        (b"true", b'true,"more":1'),
        (b'"seen":true,', b""),
        (b'{"3":2}', b"{}"),
        (b'{"3":2}', b"[]"),
        (b'{"3":2}', b'["3"]'),
        (b'{"3":2}', b'{"3":2,"4":1}'),
        (b'{"3":2}', b'{"3":3}'),
        (b'{"3":2}', b'{"3":true}'),
        (b'{"3":2}', b'{"3":2.0}'),
        (b'{"3":2}', b'{"3":-2}'),
        (b'{"3":2}', b'{"3":1000000000000}'),
        (b'"3"', b'"0"'),
        (b'"3"', b'"03"'),
        (b'"3"', b'"-3"'),
        (b'"3"', '"٣"'.encode()),
        (b'"3"', b'"x"'),
        (b"[1250,5]", b"[1250]"),
        (b"[1250,5]", b"[]"),
        (b"[1250,5]", b"7"),
        (b"[1250,5]", b"null"),
        (b"[1250,5]", b'"ab"'),
        (b"[1250,5]", b'{"a":1,"b":2}'),
        (b"[1250,5]", b"[1250,-5]"),
        (b"[1250,5]", b"[1250,5.0]"),
        (b"[1250,5]", b"[1250,NaN]"),
        (b"[1250,5]", b"[1250,null]"),
        (b"[1250,5]", b"[1250,1" + b"0" * 400 + b"]"),
    ],
    ids=lambda data: repr(data[:16]),
)
def test_what_is_no_table_of_names_is_refused_by_its_file(old, new, make_checkpoint):
    folder = make_checkpoint("bigram")
    assert old in SOUND
    rewrite(folder, "held_out.json", SOUND.replace(old, new))
    assert refusal(folder, "held_out.json")


def test_lengths_that_do_not_ascend_are_refused(make_checkpoint):
    folder = make_checkpoint("bigram")
    pairs = b'"names":{"4":1,"3":2},"nlls":{"4":[9],"3":[1250,5]}'
    rewrite(folder, "held_out.json", b'{"split":"a","parts":["b"],"seen":true,' + pairs + b"}")
    assert "ascending" in refusal(folder, "held_out.json")


def test_every_flipped_bit_of_the_file_is_refused_by_its_name(make_checkpoint):
    folder = make_checkpoint("bigram")
    rewrite(folder, "held_out.json", SOUND)
    for position in range(len(SOUND)):
        flip(folder / "held_out.json", position, position % 8)
        assert refusal(folder, "held_out.json").startswith("damaged")
        flip(folder / "held_out.json", position, position % 8)
    load_checkpoint(folder)


def test_running_text_has_no_held_out_names(make_checkpoint):
    folder = make_checkpoint("gru", kind="text", alphabet="abc \n")
    with pytest.raises(CheckpointError, match="running text"):
        replace_held_out(folder, held_out([(3, 1.25)]))
    assert load_checkpoint(folder).held_out is None
    rewrite(folder, "held_out.json", SOUND)
    assert "running text" in refusal(folder, "held_out.json")

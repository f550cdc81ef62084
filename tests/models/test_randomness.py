import hashlib
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import ParameterError
from models.randomness import check_seed, draw_seed, philox, seed_from_text, uniforms

seeds = st.integers(0, 2**64 - 1)
indexes = st.integers(0, 2**64 - 1)


def stream(seed: int, *positions: int, length: int = 20) -> np.ndarray:
    return uniforms(seed, np.array(positions, dtype=np.uint64), length)


# From kat_vectors of Random123, https://github.com/DEShawResearch/random123
@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        (
            "00000000 00000000 00000000 00000000",
            "00000000 00000000",
            "6627e8d5 e169c58d bc57ac4c 9b00dbd8",
        ),
        (
            "ffffffff ffffffff ffffffff ffffffff",
            "ffffffff ffffffff",
            "408f276d 41c83b0e a20bc7c6 6d5451fd",
        ),
        (
            "243f6a88 85a308d3 13198a2e 03707344",
            "a4093822 299f31d0",
            "d16cfe09 94fdcceb 5001e420 24126ea1",
        ),
    ],
    ids=["zeros", "ones", "digits of pi"],
)
def test_philox_gives_its_published_known_answers(counter, key, expected):
    words = [np.array([int(word, 16)] * 3, dtype=np.uint64) for word in counter.split()]
    k0, k1 = (int(word, 16) for word in key.split())
    found = philox((words[0], words[1], words[2], words[3]), (k0, k1))
    assert found.shape == (4, 3)
    for column in found.T:
        assert " ".join(f"{int(word):08x}" for word in column) == expected


@given(seeds, indexes, st.integers(0, 40))
def test_a_uniform_is_the_documented_function_of_seed_index_and_position(seed, index, t):
    counter = tuple(
        np.array(word, dtype=np.uint64) for word in (index & 0xFFFFFFFF, index >> 32, t // 2, 0)
    )
    words = [int(word) for word in philox(counter, (seed & 0xFFFFFFFF, seed >> 32))]
    high, low = words[2 * (t % 2)], words[2 * (t % 2) + 1]
    expected = ((high >> 5) * 2**26 + (low >> 6)) / 2**53
    assert stream(seed, index, length=t + 1)[0, t] == expected


@given(seeds, st.lists(indexes, min_size=1, max_size=40), st.integers(0, 40))
def test_a_name_has_the_same_uniforms_in_any_company_and_at_any_length(seed, positions, length):
    together = stream(seed, *positions, length=length)
    assert together.shape == (len(positions), length)
    for row, index in zip(together, positions, strict=True):
        assert np.array_equal(row, stream(seed, index, length=41)[0, :length])


@given(seeds, st.lists(indexes, min_size=1, max_size=40))
def test_uniforms_are_multiples_of_2_to_the_minus_53_from_0_to_below_1(seed, positions):
    values = stream(seed, *positions)
    assert values.dtype == np.float64
    assert values.min() >= 0
    assert values.max() < 1
    assert np.array_equal(values * 2.0**53, np.floor(values * 2.0**53))


def test_item_1_of_seed_42_is_not_item_0_of_seed_43():
    of_42, of_43 = stream(42, *range(100)), stream(43, *range(100))
    assert not np.isin(of_42, of_43).any()


def test_high_bits_of_seed_and_index_count():
    first = stream(0, 0)
    for other in (stream(1 << 32, 0), stream(1 << 63, 0), stream(0, 1 << 32), stream(0, 1 << 63)):
        assert not np.isin(other, first).any()


def test_uniforms_are_spread_evenly_and_neighbours_are_unrelated():
    values = stream(7, *range(20_000), length=10)
    counts = np.bincount((values.ravel() * 100).astype(int), minlength=100)
    # 99 degrees of freedom, standard deviation 14: 5 of them is far in the tail.
    assert ((counts - 2000) ** 2 / 2000).sum() < 99 + 5 * 14
    # A correlation of 200,000 pairs has standard deviation 0.0022.
    beside = np.corrcoef(values[:, :-1].ravel(), values[:, 1:].ravel())[0, 1]
    below = np.corrcoef(values[:-1].ravel(), values[1:].ravel())[0, 1]
    assert abs(beside) < 0.012
    assert abs(below) < 0.012


# ---------------------------------------------------------------- seeds


@pytest.mark.parametrize(
    ("text", "seed"),
    [
        ("0", 0),
        ("42", 42),
        (" 42 ", 42),
        ("+42", 42),
        ("-0", 0),
        ("007", 7),
        ("18446744073709551615", 2**64 - 1),
    ],
)
def test_text_that_reads_as_an_integer_is_that_integer(text, seed):
    assert seed_from_text(text) == seed


@pytest.mark.parametrize(
    "text", ["emma", "4.2", "1e3", "0x10", "1_000", "4 2", "٤٢", "한국", "--1"]
)
def test_other_text_is_hashed(text):
    assert seed_from_text(text) == int.from_bytes(
        hashlib.sha256(text.encode()).digest()[:8], "little"
    )


def test_text_seeds_do_not_change_between_versions():
    assert seed_from_text("emma") == 18218389584654805748
    assert seed_from_text("한국") == 14592745083332376350


@given(st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=64))
def test_texts_of_equal_nfc_give_equal_seeds(text):
    def seed_or_fault(spelling: str) -> int | str:
        try:
            return seed_from_text(spelling)
        except ParameterError as error:
            return error.message

    composed, decomposed = (unicodedata.normalize(form, text) for form in ("NFC", "NFD"))
    assert seed_or_fault(composed) == seed_or_fault(text)
    if len(decomposed) <= 256:
        assert seed_or_fault(decomposed) == seed_or_fault(text)


@pytest.mark.parametrize("text", ["-1", "18446744073709551616", "9" * 256, " -7"])
def test_an_integer_out_of_range_is_refused_rather_than_hashed(text):
    with pytest.raises(ParameterError, match="out of range; allowed: 0 to 18446744073709551615"):
        seed_from_text(text)


@pytest.mark.parametrize("character", ["\x00", "\n", "\x1b", "\x1f", "\x7f", "\x85", "\ud800"])
@pytest.mark.parametrize("text", ["{}emma", "em{}ma", "emma{}", "{}42", "42{}", "{}"])
def test_control_characters_and_lone_surrogates_are_refused(text, character):
    with pytest.raises(ParameterError, match="control characters or lone surrogates") as caught:
        seed_from_text(text.format(character))
    assert caught.value.parameter == "seed"


@pytest.mark.parametrize("length", [0, 257, 100_000])
def test_a_seed_has_1_to_256_characters(length):
    with pytest.raises(ParameterError, match=f"seed: has {length} characters; allowed: 1 to 256"):
        seed_from_text("a" * length)
    assert 0 <= seed_from_text("a") < 2**64
    assert 0 <= seed_from_text("한" * 256) < 2**64


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_a_seed_is_an_unsigned_integer_of_64_bits(seed):
    assert check_seed(2**64 - 1) == 2**64 - 1
    with pytest.raises(ParameterError, match="seed: is out of range"):
        check_seed(seed)


def test_drawn_seeds_differ_and_stay_exact_in_every_json_reader():
    drawn = {draw_seed() for _ in range(100)}
    assert len(drawn) == 100
    assert all(0 <= seed < 2**53 for seed in drawn)

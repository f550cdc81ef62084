import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import ConfigError, ParameterError, UnknownCharacterError
from models.vocabulary import BOUNDARY, Vocabulary, normalize

texts = st.text(st.characters(exclude_categories=("Cs",)), min_size=1)


def test_characters_are_numbered_from_1_by_code_point_after_the_boundary():
    vocabulary = Vocabulary.of(["zoe", "St. Åsa", "zoe"])
    assert "".join(vocabulary.characters) == " .SaeostzÅ"
    assert vocabulary.encode(" .SaeostzÅ") == list(range(1, 11))
    assert len(vocabulary) == 11
    assert BOUNDARY == 0


@given(texts)
def test_a_text_of_the_alphabet_decodes_to_its_nfc_form(text):
    vocabulary = Vocabulary.of([text])
    token_ids = vocabulary.encode(text)
    assert BOUNDARY not in token_ids
    assert vocabulary.decode(token_ids) == unicodedata.normalize("NFC", text)


def test_composed_and_decomposed_spellings_have_the_same_ids():
    vocabulary = Vocabulary.of(["Zoe\u0301"])
    assert vocabulary.characters == ("Z", "o", "\u00e9")
    assert vocabulary.encode("Zoe\u0301") == vocabulary.encode("Zo\u00e9") == [1, 2, 3]
    assert normalize("e\u0301") == "\u00e9"


def test_an_unknown_character_is_named_with_its_position_in_the_nfc_form():
    vocabulary = Vocabulary.of(["\u00e9abc"])
    with pytest.raises(UnknownCharacterError) as caught:
        vocabulary.encode("e\u0301axb", "prefix")
    error = caught.value
    assert (error.parameter, error.character, error.position) == ("prefix", "x", 2)
    assert isinstance(error, ParameterError)
    assert str(error) == (
        "prefix: the character at position 2 (U+0078) is not in this model's alphabet; "
        "allowed: abc\u00e9"
    )


@pytest.mark.parametrize("character", ["\ud800", "\x00", ".", "A", "\U0010ffff"])
def test_a_character_outside_the_alphabet_never_encodes(character):
    with pytest.raises(UnknownCharacterError, match=f"U\\+{ord(character):04X}"):
        Vocabulary.of(["abc"]).encode("a" + character)


def test_a_newline_is_a_character_of_running_text_like_any_other():
    vocabulary = Vocabulary.of(["a\nb"], ends=False)
    assert vocabulary.characters == ("\n", "a", "b")
    assert vocabulary.decode(vocabulary.encode("\n\nab")) == "\n\nab"


def test_a_message_shows_control_characters_of_an_alphabet_by_their_escapes():
    assert Vocabulary.of(["\n\t\x85ab"], ends=False).describe() == "\\t\\nab\\x85"


def test_a_message_shows_64_characters_of_a_long_alphabet():
    hangul = "".join(chr(0xAC00 + i) for i in range(100))
    assert Vocabulary.of([hangul]).describe() == hangul[:64] + " and 36 more"
    assert Vocabulary.of([hangul[:64]]).describe() == hangul[:64]


@pytest.mark.parametrize(
    ("characters", "message"),
    [
        ((), "at least one character"),
        (("ab",), "single code points"),
        (("",), "single code points"),
        ((7,), "single code points"),
        (("\ud800",), r"U\+D800 cannot stand in NFC text"),
        (("\u212b",), r"U\+212B cannot stand in NFC text"),  # the Angstrom sign becomes Å
        (("b", "a"), "ascend without repeats"),
        (("a", "a"), "ascend without repeats"),
    ],
)
def test_an_alphabet_that_no_text_could_have_is_refused(characters, message):
    with pytest.raises(ConfigError, match=message):
        Vocabulary(characters)


@pytest.mark.parametrize("corpus", [[], [""], ["\udfff"]])
def test_a_corpus_without_a_usable_character_has_no_vocabulary(corpus):
    with pytest.raises(ConfigError):
        Vocabulary.of(corpus)


def test_vocabularies_are_equal_when_their_characters_and_ends_are():
    assert Vocabulary.of(["abc"]) != Vocabulary.of(["abc"], ends=False)
    assert Vocabulary.of(["abc"], ends=False) == Vocabulary.of(["cab"], ends=False)
    assert Vocabulary.of(["abc"]) == Vocabulary.of(["cab", "bb"])
    assert hash(Vocabulary.of(["abc"])) == hash(Vocabulary.of(["cba"]))
    assert Vocabulary.of(["abc"]) != Vocabulary.of(["abd"])

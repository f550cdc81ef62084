"""Words are matched whole unless their entry says otherwise, without case and accents."""

import pytest

from models.errors import WordListError
from models.word_list import WordList


@pytest.mark.parametrize(
    ("entry", "taken", "left"),
    [
        ("ass", ["ass", "ASS", "Mary Ass", "mary-ass", "o'ass", "ass,", "áss"], ["cassandra", ""]),
        ("ass*", ["ass", "assad", "el-assad"], ["cassandra", "bass"]),
        ("*ass", ["ass", "bass", "bass-man"], ["bassman", "asse"]),
        ("*ass*", ["cassandra", "bass", "assad"], ["as s", "as-s", "asas"]),
        ("Coño", ["coño", "cono", "CON\u0303O"], ["conor"]),
        ("scheiß", ["scheiss", "SCHEISS", "scheiß", "SCHEIẞ"], ["scheis"]),
        ("ｆｉｇ", ["fig", "ｆｉｇ"], ["figs"]),
        ("시*", ["시발", "김 시"], ["신발"]),  # a syllable is no part of another one
        ("कि", ["कि"], ["क", "की"]),  # signs of other scripts are no accents
        ("4chan", ["4chan", "the 4Chan"], ["chan"]),
    ],
)
def test_an_entry_takes_the_words_that_it_means_and_leaves_others(
    entry: str, taken: list[str], left: list[str]
) -> None:
    words = WordList.parse(entry)
    assert [name for name in taken if words.allows(name)] == []
    assert [name for name in left if not words.allows(name)] == []


def test_an_exception_spares_a_word_but_not_the_others_of_the_name() -> None:
    words = WordList.parse("*ass*\n!cassandra\n! *hassan*\n")
    assert all(map(words.allows, ["cassandra", "Cassándra", "alhassan", "anna cassandra"]))
    assert not any(map(words.allows, ["cassandras", "bass", "cassandra bass"]))


def test_an_empty_list_leaves_nothing_out() -> None:
    assert WordList.parse("# only a comment\n\n  \n").allows("anything")


def test_comments_blanks_order_and_other_spellings_make_no_other_list() -> None:
    first = WordList.parse("# a list\r\nfig # not the fruit\r\n\r\n*Coño*\r\n!figs\r\n")
    second = WordList.parse("!figs\n*cono*\nfig\nfig")
    assert first == second
    assert first.digest == second.digest
    assert len(first.digest) == 16


@pytest.mark.parametrize("other", ["", "fig", "fig*\ndate", "fig\n!date", "fig\ndate\nplum"])
def test_another_entry_makes_another_digest(other: str) -> None:
    assert WordList.parse(other).digest != WordList.parse("fig\ndate").digest


def test_a_digest_stays_what_it_is() -> None:
    # Answers have it: with another one, no replay could tell that the list is the same.
    assert WordList.parse("fig\n*date*").digest == "34becec949f6bba5"


@pytest.mark.parametrize(
    "entry",
    ["two words", "a-b", "it's", "a*b", "**a", "a**", "*", "**", "!", "!*", "!!a", "?", "\u0301"],
)
def test_an_entry_that_is_not_one_word_is_refused_with_its_line(entry: str) -> None:
    with pytest.raises(WordListError, match="line 3: is not one word; allowed: letters") as caught:
        WordList.parse(f"fig\n# {entry}\n  {entry} # comment\n")
    assert caught.value.line == 3

"""The bundled list takes no one's name; a list that is not in order is told with file and line."""

import unicodedata
from pathlib import Path

import pytest

from app.unsafe_words import BUNDLED, MAX_BYTES, load_unsafe_words
from models.errors import WordListError

INNOCENT = """
    abass adolf analise anusha aryan assad assata babitch butterfield cassandra chastity
    cockburn conall constanza coxa cumberland cummings dagoberto dickens dickinson dickson
    draper essex fanny gaylord gypsy hancock hellen hitchcock ignazio isis japheth jewel
    kikelomo kunta lipschitz marica matsushita melissa michelle moses nazim nigel nigella
    niger osama penelope peniston pornthip rapha rishita roger scunthorpe semen sextus
    shital shitta slutsky sussex teancum titania titus tito uranus van-dyke violet whorf
    willy woody yoshito zipporah
"""
"""Names and places that other filters are known to take for something else, or could."""

OFFENSIVE = """
    fuck Fuck FUCK fück fucker motherfuck lenaniaiefuckoraf shit bitch cunt kunt pussy
    asshole dick cock prick anal anus penis porn sex rape whore slut nazi hitler nigger
    nigga iyanaveonigga faggot spic chink kike coon retard puta mierda coño-puta cabrón
    maricón pute putain enculé pédé salope scheiße Scheisse arschloch fotze hure hurensohn
    neger mary-fuck o'shit
"""


def test_names_of_people_survive_and_offensive_ones_do_not() -> None:
    words = load_unsafe_words("")
    assert [name for name in INNOCENT.split() if not words.allows(name)] == []
    assert [name for name in OFFENSIVE.split() if words.allows(name)] == []


def test_no_name_of_the_training_data_is_filtered(names_path: Path) -> None:
    words = load_unsafe_words("")
    names = names_path.read_text(encoding="utf-8").split()
    assert len(names) == 32_033
    assert [name for name in names if not words.allows(name)] == []


def test_the_bundled_list_says_what_it_is_and_has_no_entry_twice() -> None:
    text = BUNDLED.read_text(encoding="utf-8")
    assert "OFFENSIVE WORDS ON PURPOSE" in text.partition("\n-")[0]
    entries = [line for line in text.split("\n") if line and not line.startswith("#")]
    assert len(entries) == len(load_unsafe_words("").entries)
    assert all(unicodedata.is_normalized("NFC", entry) for entry in entries)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"fig\ndate palm\n", "line 2: is not one word"),
        (b"fig\n\ncaf\xe9\n", "line 3: is not UTF-8"),
        (b"fig\n" * (MAX_BYTES // 4) + b"f", "is too large; allowed: 1048576 bytes"),
    ],
)
def test_a_list_that_is_not_in_order_is_refused_with_file_and_line(
    tmp_path: Path, data: bytes, said: str
) -> None:
    path = tmp_path / "words.txt"
    path.write_bytes(data)
    with pytest.raises(WordListError) as caught:
        load_unsafe_words(str(path))
    assert str(caught.value).startswith(f"NAMEWRIGHT_UNSAFE_WORDS: {path}: {said}")


@pytest.mark.parametrize(("name", "said"), [("absent", "No such file"), ("", "Is a directory")])
def test_a_list_that_is_not_there_is_refused(tmp_path: Path, name: str, said: str) -> None:
    with pytest.raises(WordListError, match=f"cannot be read: {said}"):
        load_unsafe_words(str(tmp_path / name))


def test_a_list_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_bytes("fig\n".encode("utf-8-sig"))
    assert load_unsafe_words(str(path)).entries == {"fig"}

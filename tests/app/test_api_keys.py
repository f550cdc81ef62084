"""Keys as settings and files have them: hashes alone, and what is not one is never repeated."""

import hashlib

import pytest
from pydantic import ValidationError

from app.api_keys import MOST_KEYS, ApiKey, hash_key, parse_file, parse_keys
from app.settings import Settings

SECRET = "nw_a-key-that-no-one-hashed"
HASHES = [hashlib.sha256(text).hexdigest() for text in (b"one", b"two", b"three")]
BAD = [
    SECRET,
    f"sha256:{SECRET}",
    f"alice={SECRET}",
    f"sha256:{HASHES[0][:-1]}",
    f"sha256:{HASHES[0]}0",
    f"sha1:{HASHES[0]}",
    HASHES[0],
    f"=sha256:{HASHES[0]}",
    f"a b=sha256:{HASHES[0]}",
    f"{'a' * 65}=sha256:{HASHES[0]}",
    f"a\x1b=sha256:{HASHES[0]}",
    f"sha256:{HASHES[0][:-1]}\N{FULLWIDTH DIGIT ONE}",
    f"sha256:{HASHES[0]} sha256:{HASHES[1]}",
]


def test_a_key_is_known_by_the_sha256_of_its_bytes() -> None:
    assert parse_keys(f"sha256:{HASHES[0]}") == (ApiKey("", hash_key(b"one")),)


def test_entries_have_names_or_none_and_space_around_them() -> None:
    keys = parse_keys(
        f" alice=sha256:{HASHES[0]},sha256:{HASHES[1].upper()} , b@c.d=sha256:{HASHES[2]}\n"
    )
    assert [key.name for key in keys] == ["alice", "", "b@c.d"]
    assert [key.digest.hex() for key in keys] == HASHES


def test_no_text_is_no_keys() -> None:
    assert parse_keys("") == ()


@pytest.mark.parametrize("entry", ["", " ", *BAD])
def test_what_is_not_a_hash_is_refused_with_its_place_and_not_repeated(entry: str) -> None:
    with pytest.raises(ValueError, match="^entry 2 is not sha256:") as caught:
        parse_keys(f"sha256:{HASHES[0]},{entry}")
    assert SECRET not in str(caught.value)
    assert "python -m app key" in str(caught.value)


def test_a_setting_of_commas_alone_does_not_open_the_service() -> None:
    for text in (" ", ",", f"sha256:{HASHES[0]},"):
        with pytest.raises(ValueError, match="^entry"):
            parse_keys(text)


def test_a_file_has_a_key_a_line_comments_and_empty_lines() -> None:
    one, two, three = HASHES
    text = f"# of 2026\r\n\r\n  alice=sha256:{one}  \r\n#bob=sha256:{two}\nsha256:{three}"
    assert [key.digest.hex() for key in parse_file(text)] == [one, three]


@pytest.mark.parametrize("entry", [*BAD, f"sha256:{HASHES[0]} # alice's", f"sha256:{HASHES[0]},"])
def test_a_bad_line_of_a_file_is_named_by_its_number_and_not_repeated(entry: str) -> None:
    with pytest.raises(ValueError, match="^line 3 is not sha256:") as caught:
        parse_file(f"# first\nsha256:{HASHES[0]}\n{entry}\n")
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing\n"])
def test_a_file_without_a_key_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="holds no key"):
        parse_file(text)


def test_there_are_only_so_many_keys() -> None:
    assert len(parse_keys(",".join([f"sha256:{HASHES[0]}"] * MOST_KEYS))) == MOST_KEYS
    with pytest.raises(ValueError, match="1001 keys; allowed: 1000"):
        parse_keys(",".join([f"sha256:{HASHES[0]}"] * (MOST_KEYS + 1)))


def test_a_plain_key_in_the_settings_is_refused_and_shown_nowhere() -> None:
    with pytest.raises(ValidationError) as caught:
        Settings(api_keys=SECRET)
    assert caught.value.errors()[0]["loc"] == ("api_keys",)
    assert SECRET not in str(caught.value)

"""A file of keys is followed while the service runs; one that is not in order changes nothing."""

import logging
import os
from pathlib import Path

import pytest

from app.api_keys import hash_key, parse_keys
from app.key_ring import KeyRing
from app.startup import StartupError


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each request looks at the file."""
    monkeypatch.setattr("app.key_ring._AGE_S", 0.0)


def entry(key: str) -> str:
    return f"{key}=sha256:{hash_key(key.encode()).hex()}"


def ring_on(path: Path, *keys: str) -> KeyRing:
    path.write_text("\n".join(map(entry, keys)))
    ring = KeyRing((), path)
    ring.load()
    return ring


def known(ring: KeyRing, *keys: str) -> list[str]:
    """Those of some keys that open the service."""
    return [key for key in keys if ring.find(key.encode())]


def test_the_name_of_a_key_is_found_by_the_key_alone(tmp_path: Path) -> None:
    ring = ring_on(tmp_path / "keys", "alice", "bob")
    found = ring.find(b"bob")
    assert found is not None
    assert found.name == "bob"
    for other in (b"", b"bo", b"bob ", b"BOB", b"carol", b"\xff", hash_key(b"bob")):
        assert ring.find(other) is None


def test_nothing_is_open_before_the_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("not in order")
    ring = KeyRing((), tmp_path / "keys")
    assert known(ring, "not in order", "") == []


def test_keys_of_the_setting_and_of_the_file_are_both_known(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(entry("filed"))
    ring = KeyRing(parse_keys(entry("set")), tmp_path / "keys")
    ring.load()
    assert known(ring, "set", "filed", "other") == ["set", "filed"]


def test_a_file_that_is_written_over_counts_even_at_the_same_moment_and_size(
    tmp_path: Path,
) -> None:
    path = tmp_path / "keys"
    ring = ring_on(path, "aaa")
    before = path.stat()
    path.write_text(entry("bbb"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (path.stat().st_ino, path.stat().st_size) == (before.st_ino, before.st_size)
    assert known(ring, "aaa", "bbb") == ["bbb"]


def test_a_link_that_leads_elsewhere_now_counts(tmp_path: Path) -> None:
    (tmp_path / "old").write_text(entry("old"))
    (tmp_path / "new").write_text(entry("new"))
    link, other = tmp_path / "keys", tmp_path / "other"
    link.symlink_to("old")
    ring = KeyRing((), link)
    ring.load()
    other.symlink_to("new")
    other.replace(link)
    assert known(ring, "old", "new") == ["new"]


def spoil(path: Path, how: str) -> None:
    path.unlink()
    match how:
        case "plain":
            path.write_text(f"{entry('new')}\nnw_plain-key\n")
        case "empty":
            path.write_text("")
        case "bytes":
            path.write_bytes(b"\xff\xfe")
        case "large":
            path.write_text("#" * (1 << 20) + "\n" + entry("new"))
        case "folder":
            path.mkdir()
        case "pipe":
            os.mkfifo(path)


FAULTS = {
    "plain": "line 2 is not sha256:",
    "empty": "holds no key",
    "bytes": "is not UTF-8",
    "large": "is larger than 1048576 bytes",
    "folder": "is no regular file",
    "pipe": "is no regular file",
    "gone": "cannot be read: No such file",
}


@pytest.mark.parametrize("how", FAULTS)
def test_a_file_that_is_spoilt_leaves_the_keys_and_is_complained_of_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    path = tmp_path / "keys"
    ring = ring_on(path, "old")
    spoil(path, how)
    for _ in range(3):
        assert known(ring, "old", "new", "nw_plain-key") == ["old"]
    errors = [record.message for record in caplog.records if record.levelno == logging.ERROR]
    assert len(errors) == 1
    assert errors[0].startswith(f"{path}: {FAULTS[how]}")
    assert errors[0].endswith("the keys that it had stay")
    assert "plain-key" not in caplog.text


def test_a_file_that_is_mended_counts_and_a_later_fault_is_told_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "keys"
    ring = ring_on(path, "old")
    for _ in range(2):
        path.write_text("oops")
        assert known(ring, "old") == ["old"]
        path.write_text(entry("old"))
        assert known(ring, "old") == ["old"]
    assert len([record for record in caplog.records if record.levelno == logging.ERROR]) == 2
    path.write_text(entry("new"))
    assert known(ring, "old", "new") == ["new"]


@pytest.mark.parametrize("how", FAULTS)
def test_a_spoilt_file_is_no_start(tmp_path: Path, how: str) -> None:
    path = tmp_path / "keys"
    path.touch()
    spoil(path, how)
    with pytest.raises(StartupError) as caught:
        KeyRing(parse_keys(entry("set")), path).load()
    assert str(caught.value).startswith(f"NAMEWRIGHT_API_KEYS_FILE: {path}: {FAULTS[how]}")
    assert "plain-key" not in str(caught.value)

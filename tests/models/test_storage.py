"""A folder of files is read as its manifest says, or refused by the name of the file."""

import hashlib
import json
import os
import shutil
import socket
from pathlib import Path

import pytest

from models.errors import CheckpointError
from models.storage import parse_json, read_folder, require_keys, to_json, write_folder
from tests.models.conftest import NEW, OLD, in_another_process

# ---------------------------------------------------------------- JSON


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", '{"a": -Infinity}', "{", "", "\xff"])
def test_what_is_not_json_by_the_standard_is_not_parsed(text):
    with pytest.raises(ValueError):  # noqa: PT011 - parse_json promises no message
        parse_json(text.encode("latin-1"))


def test_json_is_written_in_one_way_whatever_the_order_of_the_keys():
    assert to_json({"b": 1, "a": "é"}) == to_json({"a": "é", "b": 1})
    assert parse_json(to_json({"b": [1.5, None]})) == {"b": [1.5, None]}
    with pytest.raises(ValueError, match="JSON compliant"):
        to_json({"a": float("nan")})


def test_odd_keys_are_named():
    require_keys({"a": 1}, ["a"])
    with pytest.raises(ValueError, match="missing or unknown keys: b, c"):
        require_keys({"a": 1, "b": 2}, ["a", "c"])


# ---------------------------------------------------------------- reading


def test_what_was_written_is_read(folder):
    assert read_folder(folder, OLD) == OLD
    write_folder(folder, NEW)
    assert read_folder(folder, NEW) == NEW
    assert sorted(path.name for path in folder.iterdir()) == ["a.txt", "b.bin", "manifest.json"]


def test_the_manifest_holds_the_size_and_sha256_of_every_file(folder):
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest == {
        "schema": 1,
        "files": {
            name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            for name, data in OLD.items()
        },
    }


@pytest.mark.parametrize("name", ["a.txt", "b.bin", "manifest.json"])
def test_a_missing_file_is_refused_by_name(folder, name):
    (folder / name).unlink()
    with pytest.raises(CheckpointError, match="No such file") as caught:
        read_folder(folder, OLD)
    assert caught.value.path == str(folder / name)


@pytest.mark.parametrize("path", ["", "missing", "missing/deeper"])
def test_a_folder_that_is_none_is_refused(tmp_path, path):
    with pytest.raises(CheckpointError, match=r"manifest\.json: cannot be read"):
        read_folder(tmp_path / path, OLD)


@pytest.mark.parametrize("name", ["a.txt", "b.bin", "manifest.json"])
def test_a_folder_in_a_files_place_is_refused_by_name(folder, name):
    (folder / name).unlink()
    (folder / name).mkdir()
    with pytest.raises(CheckpointError, match="not a regular file") as caught:
        read_folder(folder, OLD)
    assert caught.value.path == str(folder / name)


@pytest.mark.parametrize("name", ["a.txt", "manifest.json"])
@pytest.mark.parametrize("target", ["a copy", "/dev/zero", "nothing"])
def test_a_link_is_refused_by_name_even_to_what_it_should_be(folder, name, target):
    copy = folder.parent / "copy"
    shutil.move(folder / name, copy)
    (folder / name).symlink_to(copy if target == "a copy" else target)
    with pytest.raises(CheckpointError, match="cannot be read") as caught:
        read_folder(folder, OLD)
    assert caught.value.path == str(folder / name)


@pytest.mark.parametrize("name", ["a.txt", "manifest.json"])
def test_a_pipe_is_refused_without_waiting_for_a_writer(folder, name):
    (folder / name).unlink()
    os.mkfifo(folder / name)
    program = """
import sys
from pathlib import Path
from models.errors import CheckpointError
from models.storage import read_folder
try:
    read_folder(Path(sys.argv[1]), ["a.txt", "b.bin"])
except CheckpointError as error:
    sys.stdout.write(str(error))
"""
    done = in_another_process(program, folder)
    assert (done.stdout, done.stderr) == (f"{folder / name}: not a regular file", "")


def test_a_socket_is_refused_by_name(folder, monkeypatch):
    (folder / "a.txt").unlink()
    monkeypatch.chdir(folder)  # the path of a socket must be short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("a.txt")
    with pytest.raises(CheckpointError, match=r"a\.txt: cannot be read"):
        read_folder(folder, OLD)


@pytest.mark.parametrize("name", ["b.bin", "manifest.json"])
def test_a_file_of_100_gigabytes_is_refused_unread(folder, name):
    try:
        os.truncate(folder / name, 100 << 30)  # sparse: it takes no room
    except OSError as error:
        pytest.skip(f"this file system has no sparse files of that size: {error}")
    with pytest.raises(CheckpointError, match="too large: 107374182400 bytes") as caught:
        read_folder(folder, OLD)
    assert caught.value.path == str(folder / name)


@pytest.mark.parametrize(
    ("damage", "cause"),
    [
        (lambda data: data[:-1], "truncated: 255 of 256 bytes"),
        (lambda data: b"", "truncated: 0 of 256 bytes"),
        (lambda data: data + b"\0", "too large: 257 bytes where 256 are due"),
        (lambda data: data[::-1], "damaged: its sha256"),
    ],
    ids=["shorter", "empty", "longer", "other"],
)
def test_a_file_that_is_not_the_manifests_is_refused_by_name(folder, damage, cause):
    path = folder / "b.bin"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(CheckpointError, match=cause) as caught:
        read_folder(folder, OLD)
    assert caught.value.path == str(path)


def entries(**changes: object) -> dict[str, object]:
    """What a manifest of OLD holds, some of it changed."""
    files: dict[str, object] = {
        name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        for name, data in OLD.items()
    }
    return {"schema": 1, "files": files} | changes


@pytest.mark.parametrize(
    "manifest",
    [
        b"",
        b"{",
        b"null\n",
        b"[]\n",
        b"[" * 100_000,
        b"\xff\xfe",
        to_json(entries()) + b"\n",
        to_json(entries()).replace(b"  ", b"\t"),
        to_json(entries()).decode().encode("utf-16"),
        to_json(entries(schema=2)),
        to_json(entries(note="")),
        to_json({"schema": 1}),
        to_json(entries(files={})),
        to_json(entries(files=["a.txt", "b.bin"])),
        to_json(entries(files={"a.txt": {}, "b.bin": {}})),
        to_json(entries(files={"a.txt": None, "b.bin": None})),
        to_json(entries(files={n: {"bytes": -1, "sha256": ""} for n in OLD})),
        to_json(entries(files={n: {"bytes": 6.0, "sha256": ""} for n in OLD})),
        to_json(entries(files={n: {"bytes": True, "sha256": ""} for n in OLD})),
        to_json(entries(files={"../a.txt": {}, "b.bin": {}})),
        to_json({"schema": 1, "files": {}}).replace(b"{}", b'{"a.txt": NaN}'),
    ],
    ids=lambda manifest: repr(manifest[:40]),
)
def test_a_manifest_that_this_version_does_not_write_is_refused(folder, manifest):
    (folder / "manifest.json").write_bytes(manifest)
    with pytest.raises(CheckpointError, match="not a valid manifest") as caught:
        read_folder(folder, OLD)
    assert caught.value.path == str(folder / "manifest.json")


def test_a_flipped_bit_in_any_byte_of_a_manifest_is_refused(folder):
    path = folder / "manifest.json"
    sound = path.read_bytes()
    for position in range(len(sound)):
        damaged = bytearray(sound)
        damaged[position] ^= 1 << position % 8
        path.write_bytes(damaged)
        with pytest.raises(CheckpointError) as caught:
            read_folder(folder, OLD)
        assert Path(caught.value.path).parent == folder
    path.write_bytes(sound)
    assert read_folder(folder, OLD) == OLD


def test_a_folder_of_other_files_than_expected_is_refused(folder):
    with pytest.raises(CheckpointError, match=r"missing or unknown keys: b\.bin, c"):
        read_folder(folder, ["a.txt", "c"])


def test_a_linked_incoming_folder_is_refused(folder):
    # A manifest in it would be believed, and with it files from elsewhere.
    elsewhere = folder.parent / "elsewhere"
    write_folder(elsewhere, NEW)
    (folder / ".incoming").symlink_to(elsewhere)
    with pytest.raises(CheckpointError):
        read_folder(folder, OLD)

import hashlib
import json
import os
import random
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import models
from models.checkpoint import load_checkpoint, replace_plots
from models.errors import CheckpointError
from models.storage import parse_json, read_folder, require_keys, to_json, write_folder

OLD = {"a.txt": b"old a\n", "b.bin": bytes(range(256))}
NEW = {"a.txt": b"", "b.bin": b"new b" * 1000}
THIRD = {"a.txt": b"third a", "b.bin": b"third b"}
PICTURED = OLD | {f"plots/{name}.svg": name.encode() * 50 for name in ("loss", "nll")}
FEWER = NEW | {"plots/nll.svg": b"another"}
PICTURES = re.compile(r"plots/[a-z0-9-]+\.svg")


PICTURE = b'<svg xmlns="http://www.w3.org/2000/svg"><title>A picture</title></svg>'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "folder"
    write_folder(path, OLD)
    return path


def in_another_process(program: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run Python that may import `models`. The limit is for a hang, not a measurement."""
    return subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        cwd=Path(models.__path__[0]).parent,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


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


# ---------------------------------------------------------------- writing

# Ends the process without a word before its k-th file operation; os._exit loses what Python
# has not handed to the system yet, as a kill does. It forks for each k, so that Python starts
# once, and goes on until a writer survives.
KILLED_WRITERS = """
import json, os, shutil, sys
from pathlib import Path
from models.storage import write_folder

OPERATIONS = {
    "open", "write", "flush", "fsync", "close", "replace", "mkdir", "rmdir", "unlink", "scandir"
}
before, target, contents = map(Path, sys.argv[1:4])
files = {
    str(path.relative_to(contents)): path.read_bytes()
    for path in contents.rglob("*") if path.is_file()
}

def die_at(k):
    count = 0
    def profile(frame, event, function):
        nonlocal count
        if event == "c_call" and function.__name__ in OPERATIONS:
            count += 1
            if count > k:
                os._exit(9)
    sys.setprofile(profile)

for k in range(10_000):
    folder = target / str(k)
    if before.exists():
        shutil.copytree(before, folder)
    child = os.fork()
    if not child:
        die_at(k)
        write_folder(folder, files)
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status == 0:
        break
    assert status == 9, status
"""


def kill_everywhere(before: Path, files: dict[str, bytes], target: Path) -> list[Path]:
    """What a writer of `files` leaves of `before` when killed at its k-th operation, by k.

    The last one was not killed.
    """
    contents = target / "contents"
    contents.mkdir(parents=True)
    for name, data in files.items():
        (contents / name).parent.mkdir(exist_ok=True)
        (contents / name).write_bytes(data)
    done = in_another_process(KILLED_WRITERS, before, target / "left", contents)
    assert (done.returncode, done.stderr) == (0, "")
    left = sorted((target / "left").iterdir(), key=lambda path: int(path.name))
    assert len(left) > 4 * len(files)  # open, write, sync and replace each, at the least
    return left


def content(folder: Path) -> dict[str, bytes | None]:
    """Everything below a folder; None is a folder."""
    return {
        str(path.relative_to(folder)): None if path.is_dir() else path.read_bytes()
        for path in sorted(folder.rglob("*"))
    }


def test_a_checkpoint_whose_writer_was_killed_anywhere_is_the_old_or_the_new_one(
    make_checkpoint, tmp_path
):
    old, new, third = (make_checkpoint("bigram", name=f"of {i}", seed=i) for i in range(3))
    for folder, names in ((old, ["loss", "nll"]), (new, ["nll"])):  # and none in the third
        replace_plots(folder, dict.fromkeys(names, PICTURE))
    fingerprints = [load_checkpoint(path).fingerprint for path in (old, new, third)]
    assert len(set(fingerprints)) == 3
    new_files, third_files = (
        {
            str(path.relative_to(folder)): path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file() and path.stem != "manifest"
        }
        for folder in (new, third)
    )
    found = []
    for folder in kill_everywhere(old, new_files, tmp_path / "killed"):
        loaded = load_checkpoint(folder)
        found.append(loaded.fingerprint)
        assert len(loaded.plots) == (2 if loaded.fingerprint == fingerprints[0] else 1)
        write_folder(folder, third_files)
        assert load_checkpoint(folder).fingerprint == fingerprints[2]
        assert content(folder) == content(third)
    # There is one moment at which the old one becomes the new one.
    switch = found.index(fingerprints[1])
    assert 0 < switch < len(found) - 1
    assert found == [fingerprints[0]] * switch + [fingerprints[1]] * (len(found) - switch)


def test_a_first_save_that_was_killed_anywhere_leaves_nothing_or_the_whole(tmp_path):
    found = []
    # The writer makes the parents of its folder too.
    for folder in kill_everywhere(tmp_path / "nothing", NEW, tmp_path / "killed"):
        try:
            found.append(read_folder(folder, NEW))
        except CheckpointError:
            found.append(None)
        write_folder(folder, THIRD)
        assert read_folder(folder, THIRD) == THIRD
    switch = found.index(NEW)
    assert 0 < switch < len(found) - 1
    assert found == [None] * switch + [NEW] * (len(found) - switch)


def test_a_kill_while_an_earlier_kill_is_made_good_does_not_bring_the_old_back(folder, tmp_path):
    # Committed, but not in its place yet: the next writer has that to do first.
    unfinished = {
        str(content(left)): left
        for left in kill_everywhere(folder, NEW, tmp_path / "first")
        if (left / ".incoming" / "manifest.json").exists()
    }
    assert len(unfinished) == 3  # none, one, or both files have moved up
    for k, before in enumerate(unfinished.values()):
        found = []
        for left in kill_everywhere(before, THIRD, tmp_path / f"second {k}"):
            found.append(read_folder(left, NEW))
            write_folder(left, OLD)
            assert read_folder(left, OLD) == OLD
        switch = found.index(THIRD)
        assert 0 < switch < len(found) - 1
        assert found == [NEW] * switch + [THIRD] * (len(found) - switch)


@pytest.mark.parametrize(("before", "after"), [(PICTURED, FEWER), (PICTURED, NEW), (OLD, FEWER)])
def test_a_set_of_other_size_replaces_the_old_one_at_one_moment_and_leaves_nothing_of_it(
    before, after, tmp_path
):
    write_folder(tmp_path / "before", before)
    write_folder(tmp_path / "third", THIRD)
    found = []
    for folder in kill_everywhere(tmp_path / "before", after, tmp_path / "killed"):
        found.append(read_folder(folder, OLD, PICTURES))
        write_folder(folder, THIRD)
        assert content(folder) == content(tmp_path / "third")
    switch = found.index(after)
    assert 0 < switch < len(found) - 1
    assert found == [before] * switch + [after] * (len(found) - switch)


def test_a_kill_while_another_set_is_made_good_leaves_nothing_of_the_first(tmp_path):
    first, second, third = ({f"plots/{name}.svg": b"drawn"} for name in ("loss", "nll", "x-2"))
    write_folder(tmp_path / "first", first)
    write_folder(tmp_path / "third", third)
    unfinished = {
        str(content(left)): left
        for left in kill_everywhere(tmp_path / "first", second, tmp_path / "killed")
        if (left / ".incoming" / "manifest.json").exists()
    }
    assert len(unfinished) == 3  # nothing done, the new one moved, and the old one removed too
    for k, folder in enumerate(unfinished.values()):
        for left in kill_everywhere(folder, third, tmp_path / f"again {k}"):
            assert read_folder(left, [], PICTURES) in (second, third)
            write_folder(left, third)
            assert content(left) == content(tmp_path / "third")


def test_a_full_disk_leaves_the_old_content_and_the_next_save_succeeds(folder):
    program = """
import resource, sys
from pathlib import Path
from models.storage import write_folder
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    write_folder(Path(sys.argv[1]), {"a.txt": b"new", "b.bin": bytes(2000)})
except OSError as error:
    sys.stdout.write(type(error).__name__)
"""
    done = in_another_process(program, folder)
    assert (done.stdout, done.stderr) == ("OSError", "")
    assert read_folder(folder, OLD) == OLD
    write_folder(folder, NEW)
    assert read_folder(folder, NEW) == NEW


def test_everything_is_synced_before_it_is_committed(folder):
    # A kill of the machine, not of the process, loses what was not synced. It cannot be
    # tried here, but the order of the system calls can be read.
    program = """
import sys
from pathlib import Path
from models.storage import write_folder
calls = []
def profile(frame, event, function):
    if event == "c_call" and function.__name__ in ("write", "fsync", "replace", "rmdir"):
        calls.append(function.__name__)
sys.setprofile(profile)
write_folder(Path(sys.argv[1]), {"a.txt": b"new a", "b.bin": b"new b"})
sys.setprofile(None)
sys.stdout.write(" ".join(calls))
"""
    done = in_another_process(program, folder)
    assert done.stderr == ""
    files = "write fsync " * 3  # the manifest is the third
    commit = "fsync replace fsync "  # of the folder, around the manifest's appearance
    move = "replace " * 3 + "fsync rmdir"
    assert done.stdout == files + commit + move


def test_a_writer_that_finds_a_file_in_the_folders_place_says_so(tmp_path):
    (tmp_path / "taken").write_text("not ours")
    with pytest.raises(OSError, match="taken"):
        write_folder(tmp_path / "taken", OLD)
    assert (tmp_path / "taken").read_text() == "not ours"


def test_a_picture_that_nothing_names_is_neither_read_nor_removed(tmp_path):
    write_folder(tmp_path, FEWER)
    (tmp_path / "plots" / "mine.svg").write_bytes(b"a user's own")
    assert read_folder(tmp_path, NEW, PICTURES) == FEWER
    write_folder(tmp_path, NEW)
    assert read_folder(tmp_path, NEW, PICTURES) == NEW
    assert [path.name for path in (tmp_path / "plots").iterdir()] == ["mine.svg"]


def test_a_killed_writers_pictures_do_not_come_in_with_the_next_ones(tmp_path):
    stray = tmp_path / ".incoming" / "plots" / "stray.svg"
    stray.parent.mkdir(parents=True)
    stray.write_bytes(b"of a writer that was killed")
    write_folder(tmp_path, FEWER)
    assert set(content(tmp_path)) == {*FEWER, "plots", "manifest.json"}


@pytest.mark.parametrize("name", ["plots/loss.svg", "plots"])
def test_a_link_below_is_refused_by_name_and_not_written_through(tmp_path, name):
    folder, elsewhere = tmp_path / "folder", tmp_path / "elsewhere"
    write_folder(folder, PICTURED)
    shutil.move(folder / name, elsewhere)
    (folder / name).symlink_to(elsewhere)
    before = content(tmp_path)
    with pytest.raises(CheckpointError, match="link|cannot be read") as caught:
        read_folder(folder, OLD, PICTURES)
    assert caught.value.path == str(folder / name)
    if name == "plots":
        with pytest.raises(OSError, match="a link or a file where a folder is due"):
            write_folder(folder, FEWER)
        assert content(tmp_path) == before
    write_folder(folder, NEW)
    assert read_folder(folder, NEW, PICTURES) == NEW
    assert elsewhere.exists()


def test_a_file_where_the_sub_folder_is_due_stops_the_write_before_anything_changes(folder):
    (folder / "plots").write_text("in the way")
    before = content(folder)
    with pytest.raises(FileExistsError, match="plots"):
        write_folder(folder, FEWER)
    assert content(folder) == before
    assert read_folder(folder, OLD, PICTURES) == OLD


@pytest.mark.parametrize(
    "name", ["../a.txt", "/a.txt", "plots/../a.txt", "plots/deep/a.svg", ".incoming/a.txt", "a", ""]
)
def test_a_name_that_leads_elsewhere_is_not_written(folder, name):
    with pytest.raises(ValueError, match="not names of files here"):
        write_folder(folder, OLD | {name: b""})
    assert read_folder(folder, OLD) == OLD


def test_what_a_forged_old_manifest_names_elsewhere_is_not_removed(tmp_path):
    (tmp_path / "outside.txt").write_text("precious")
    folder = tmp_path / "folder"
    write_folder(folder, OLD)
    forged = {
        "../outside.txt": {},
        str(tmp_path / "outside.txt"): {},
        "plots/../../outside.txt": {},
    }
    (folder / "manifest.json").write_bytes(to_json({"schema": 1, "files": forged}))
    write_folder(folder, NEW)
    assert (tmp_path / "outside.txt").read_text() == "precious"
    assert read_folder(folder, NEW) == NEW


def test_random_garbage_in_an_uncommitted_incoming_folder_is_ignored(folder):
    incoming = folder / ".incoming"
    incoming.mkdir()
    for name in ("a.txt", "b.bin", "manifest.json.partial"):
        (incoming / name).write_bytes(random.Random(0).randbytes(50))
    assert read_folder(folder, OLD) == OLD
    write_folder(folder, NEW)
    assert read_folder(folder, NEW) == NEW
    assert not incoming.exists()

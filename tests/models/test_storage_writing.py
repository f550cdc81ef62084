"""A folder is written whole, in order, and nowhere but in its place."""

import random
import shutil

import pytest

from models.errors import CheckpointError
from models.storage import read_folder, to_json, write_folder
from tests.models.conftest import FEWER, NEW, OLD, PICTURED, PICTURES, content, in_another_process


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

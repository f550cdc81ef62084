"""A writer that is killed anywhere leaves the old content or the new, and the next one succeeds."""

from pathlib import Path

import pytest

from models.checkpoint import load_checkpoint, replace_plots
from models.errors import CheckpointError
from models.storage import read_folder, write_folder
from tests.models.conftest import FEWER, NEW, OLD, PICTURED, PICTURES, content, in_another_process

THIRD = {"a.txt": b"third a", "b.bin": b"third b"}


PICTURE = b'<svg xmlns="http://www.w3.org/2000/svg"><title>A picture</title></svg>'


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

"""Something else in place of a checkpoint's file: refused, unread if need be, and never run."""

import io
import os
import pickle
import random
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from models.checkpoint import load_checkpoint
from models.storage import parse_json, to_json
from tests.exact import CHECKPOINTS
from tests.faults.refusals import Refusals, certify, files_of, restored
from tests.faults.report import Report
from tests.faults.scale import scaled

SPARSE_BYTES = 100 << 30
PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)
ALPHABETS = 300


@pytest.fixture(params=["bigram", "gru", "korean-gpt"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A copy of a bundled checkpoint; it must be in order again at the end."""
    copy = tmp_path / "checkpoints" / request.param
    shutil.copytree(CHECKPOINTS / request.param, copy)
    fingerprint = load_checkpoint(copy).fingerprint
    yield copy
    assert load_checkpoint(copy).fingerprint == fingerprint


class Bomb:
    """What leaves a file behind where it is unpickled."""

    def __init__(self, canary: Path) -> None:
        self._canary = canary

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self._canary,)


def bombs(canary: Path) -> Iterator[tuple[str, bytes]]:
    """The same bomb in every dress: each protocol of pickle, and torch's two formats."""
    for protocol in PROTOCOLS:
        yield f"pickle {protocol}", pickle.dumps(Bomb(canary), protocol)
    for zipped in (True, False):
        buffer = io.BytesIO()
        torch.save(Bomb(canary), buffer, _use_new_zipfile_serialization=zipped)
        yield f"torch, {zipped=}", buffer.getvalue()


def test_a_pickle_bomb_in_place_of_any_file_does_not_go_off(
    folder: Path, tmp_path: Path, report: Report
) -> None:
    refusals, canary = Refusals(), tmp_path / "canary"
    for path in files_of(folder):
        for dress, bomb in bombs(canary):
            with restored(path):
                path.write_bytes(bomb)
                refusals.load(folder, f"{path.name}: {dress}", path)
                if path.name != "manifest.json":
                    certify(folder)
                    refusals.load(folder, f"{path.name}: {dress}, with its hash", path)
    assert not canary.exists()
    pickle.loads(bomb_of_a_kind(canary))
    assert canary.exists()  # they would have gone off
    report.add_all(refusals.verify())


def bomb_of_a_kind(canary: Path) -> bytes:
    """One of those bombs."""
    return next(bombs(canary))[1]


def test_a_file_of_100_gb_in_place_of_any_is_refused_unread(folder: Path, report: Report) -> None:
    refusals = Refusals()
    for path in files_of(folder):
        with restored(path):
            os.truncate(path, SPARSE_BYTES)
            refusals.load(folder, f"{path.name}: of 100 GB", path)
            if path.name != "manifest.json":
                certify(folder)
                refusals.load(folder, f"{path.name}: of 100 GB, as the manifest says", path)
    report.add_all(refusals.verify())


def test_what_is_no_file_in_place_of_any_is_refused_at_once(
    folder: Path, tmp_path: Path, report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    def listen(path: Path) -> None:
        monkeypatch.chdir(path.parent)  # a socket's path is a short one
        with socket.socket(socket.AF_UNIX) as end:
            end.bind(path.name)

    refusals, elsewhere = Refusals(), tmp_path / "elsewhere"
    impostors: dict[str, Callable[[Path], None]] = {
        "missing": lambda path: None,
        "a link to the very file": lambda path: path.symlink_to(elsewhere),
        "a link into the void": lambda path: path.symlink_to(tmp_path / "nothing"),
        "a link to itself": lambda path: path.symlink_to(path.name),
        "a device": lambda path: path.symlink_to("/dev/zero"),
        "a pipe": os.mkfifo,
        "a folder": Path.mkdir,
        "a socket": listen,
    }
    for path in files_of(folder):
        for what, put in impostors.items():
            with restored(path) as sound:
                elsewhere.write_bytes(sound)
                path.unlink()
                put(path)
                refusals.load(folder, f"{path.name}: {what}", path)
    report.add_all(refusals.verify())


def test_a_link_in_place_of_a_folder_is_refused(folder: Path, tmp_path: Path) -> None:
    for name in ("plots", ".incoming"):
        refusals, elsewhere = Refusals(), tmp_path / name
        if (folder / name).exists():
            (folder / name).rename(elsewhere)
        else:  # what a writer that was killed would leave is not taken from elsewhere
            shutil.copytree(folder, elsewhere)
        (folder / name).symlink_to(elsewhere)
        refusals.load(folder, f"{name}: a link", folder / name)
        refusals.verify()
        (folder / name).unlink()
        if name == "plots":
            elsewhere.rename(folder / name)


def other_alphabets(alphabet: str, dice: random.Random) -> Iterator[tuple[str, str]]:
    """Wrong ones that could be right: of the same size for the most part, and ascending."""
    yield "a character more", alphabet + chr(ord(alphabet[-1]) + 1)
    yield "a character less", alphabet[:-1]
    yield "in capitals", "".join(sorted(alphabet.upper()))
    yield "backwards", alphabet[::-1]
    yield "one on", "".join(chr(ord(character) + 1) for character in alphabet)
    for _ in range(scaled(ALPHABETS, 10)):
        at = dice.randrange(len(alphabet))
        rest = alphabet[:at] + alphabet[at + 1 :]
        # Near the old one, where there is room: nothing else than this character is wrong then.
        near = [chr(ord(alphabet[at]) + by) for by in range(-40, 41) if ord(alphabet[at]) + by > 0]
        other = dice.choice([character for character in near if character not in alphabet])
        yield f"{other!r} for {alphabet[at]!r}", "".join(sorted(rest + other))


def test_a_wrong_vocabulary_is_refused_under_sound_hashes(folder: Path, report: Report) -> None:
    refusals, path = Refusals(), folder / "config.json"
    config = parse_json(path.read_bytes())
    with restored(path):
        for what, alphabet in other_alphabets(config["vocabulary"], random.Random(3)):
            path.write_bytes(to_json(config | {"vocabulary": alphabet}))
            certify(folder)
            refusals.load(folder, f"vocabulary: {what}")
        kind = {"lines": "text", "text": "lines"}[config["corpus"]["kind"]]
        path.write_bytes(to_json(config | {"corpus": config["corpus"] | {"kind": kind}}))
        certify(folder)
        refusals.load(folder, f"kind: {kind}")
    report.add_all(refusals.verify())


EXTRA = ("extra.txt", "extra.safetensors", "model.pkl", "pytorch_model.bin", "plots/extra.txt")


def test_an_extra_file_that_the_manifest_names_is_refused(folder: Path, report: Report) -> None:
    refusals, manifest = Refusals(), folder / "manifest.json"
    with restored(manifest):
        for name in (*EXTRA, "Ünnamed", "a/b/c.txt"):
            (folder / name).parent.mkdir(exist_ok=True, parents=True)
            (folder / name).write_bytes(b"extra")
            certify(folder)
            refusals.load(folder, f"{name}: extra", manifest)
            (folder / name).unlink()
        entries = parse_json(manifest.read_bytes())
        for name in ("../outside.txt", "/etc/hostname", "plots/../config.json", "", "."):
            files = entries["files"] | {name: {"bytes": 1, "sha256": "0" * 64}}
            manifest.write_bytes(to_json(entries | {"files": files}))
            refusals.load(folder, f"{name!r}: leads elsewhere", manifest)
        for name in ("config.json", "model.safetensors", "training_names.txt"):
            files = {file: entry for file, entry in entries["files"].items() if file != name}
            manifest.write_bytes(to_json(entries | {"files": files}))
            refusals.load(folder, f"{name}: not in the manifest", manifest)
    report.add_all(refusals.verify())


def test_an_extra_file_that_the_manifest_does_not_name_is_not_even_opened(
    folder: Path, tmp_path: Path, report: Report
) -> None:
    before = load_checkpoint(folder)
    canary = tmp_path / "canary"
    for i, name in enumerate(EXTRA):
        (folder / name).write_bytes(bomb_of_a_kind(canary))
        os.mkfifo(folder / f"pipe{i}.txt")  # to open it would take for ever
        (folder / f"link{i}.txt").symlink_to("/dev/zero")
    with (folder / "large.txt").open("wb") as file:
        file.truncate(SPARSE_BYTES)
    after = load_checkpoint(folder)
    assert (after.fingerprint, after.plots) == (before.fingerprint, before.plots)
    assert after.metadata == before.metadata
    assert not canary.exists()
    report.add_all({"ignored": 3 * len(EXTRA) + 1})

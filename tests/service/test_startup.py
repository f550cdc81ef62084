"""What must not be served stops the start: by itself, with a status, the file and the cause."""

import json
import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load, save

from models.storage import write_folder
from tests.exact import CHECKPOINTS
from tests.service.conftest import START_LIMIT_S, assert_nothing_left, free_port, kill, launch

Files = dict[str, bytes]


def refused(log: Path, **environment: object) -> str:
    """Standard error of a start that must fail."""
    process = launch(log, **({"PORT": free_port()} | environment))
    try:
        status = process.wait(START_LIMIT_S)
    finally:
        if process.poll() is None:
            kill(process.pid)
            process.wait()
    assert_nothing_left(process.pid, log)
    text = log.read_text()
    assert status > 0, f"exit status {status}, negative for a signal\n{text}"
    return text


@pytest.fixture
def catalogue(tmp_path: Path) -> Path:
    """A folder of checkpoints with a good one, `bigram`."""
    shutil.copytree(CHECKPOINTS / "bigram", tmp_path / "checkpoints" / "bigram")
    return tmp_path / "checkpoints"


def read_files(folder: Path) -> Files:
    """What a checkpoint holds beside its manifest."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "manifest.json"
    }


def truncate(folder: Path) -> None:
    os.truncate(folder / "model.safetensors", 1000)


def flip_a_bit(folder: Path) -> None:
    path = folder / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[3000] ^= 1
    path.write_bytes(data)


def remove_a_file(folder: Path) -> None:
    (folder / "reference.json").unlink()


def link_a_file(folder: Path) -> None:
    path = folder / "metrics.jsonl"
    path.rename(folder.parent.parent / "elsewhere")
    path.symlink_to(folder.parent.parent / "elsewhere")


def empty_the_folder(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()


def change_the_shape(folder: Path) -> None:
    files = read_files(folder)
    tensors = load(files["model.safetensors"])
    tensors["counts"] = tensors["counts"][:26, :26].contiguous()
    write_folder(folder, files | {"model.safetensors": save(tensors)})


def put_nan(folder: Path) -> None:
    files = read_files(folder)
    tensors = load(files["model.safetensors"]) | {"smoothing": torch.tensor(float("nan"))}
    write_folder(folder, files | {"model.safetensors": save(tensors)})


def change_a_count(folder: Path) -> None:
    files = read_files(folder)
    tensors = load(files["model.safetensors"])
    tensors["counts"][1, 2] += 100
    write_folder(folder, files | {"model.safetensors": save(tensors)})


def forget_the_alphabet(folder: Path) -> None:
    files = read_files(folder)
    config = json.loads(files["config.json"])
    del config["vocabulary"]
    write_folder(folder, files | {"config.json": json.dumps(config).encode()})


Damage = Callable[[Path], None]
DAMAGES: dict[Damage, tuple[str, str]] = {
    truncate: ("model.safetensors", "truncated: 1000 of"),
    flip_a_bit: ("model.safetensors", "damaged: its sha256"),
    remove_a_file: ("reference.json", "No such file"),
    link_a_file: ("metrics.jsonl", "cannot be read"),
    empty_the_folder: ("manifest.json", "No such file"),
    change_the_shape: ("model.safetensors", "counts is torch.int64 (26, 26)"),
    put_nan: ("model.safetensors", "smoothing holds NaN"),
    change_a_count: ("reference.json", "the NLL of"),
    forget_the_alphabet: ("config.json", "missing or unknown keys: vocabulary"),
}

ONE = [pytest.param(truncate, id="truncate")]
OTHERS = [
    pytest.param(damage, id=damage.__name__, marks=pytest.mark.slow)
    for damage in DAMAGES
    if damage is not truncate
]


@pytest.mark.parametrize("damage", ONE + OTHERS)
def test_a_checkpoint_not_in_order_stops_the_start_with_its_file_and_the_cause(
    tmp_path: Path, catalogue: Path, damage: Damage
) -> None:
    damage(catalogue / "bigram")
    file, cause = DAMAGES[damage]
    text = refused(tmp_path / "log", CHECKPOINTS=catalogue, DEFAULT_MODEL="bigram")
    fault = f"{catalogue / 'bigram' / file}: "
    lines = [line for line in text.splitlines() if fault in line]
    assert lines, text
    assert all(cause in line for line in lines), text
    assert_for_operators(text)


@pytest.mark.slow
def test_a_bad_checkpoint_beside_good_ones_stops_the_start_though_it_is_not_the_default(
    tmp_path: Path, catalogue: Path
) -> None:
    shutil.copytree(catalogue / "bigram", catalogue / "another")
    flip_a_bit(catalogue / "another")
    text = refused(tmp_path / "log", CHECKPOINTS=catalogue, DEFAULT_MODEL="bigram")
    assert f"{catalogue / 'another' / 'model.safetensors'}: damaged" in text


def assert_for_operators(text: str) -> None:
    """One line says what is wrong; a traceback of six libraries would hide it."""
    assert "Traceback" not in text, text
    assert len(text.splitlines()) <= 15, text


@pytest.mark.slow
def test_two_workers_that_cannot_start_end_their_parent_with_a_status(
    tmp_path: Path, catalogue: Path
) -> None:
    truncate(catalogue / "bigram")
    text = refused(tmp_path / "log", CHECKPOINTS=catalogue, DEFAULT_MODEL="bigram", WORKERS=2)
    assert f"{catalogue / 'bigram' / 'model.safetensors'}: truncated" in text
    assert_for_operators(text)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("CHECKPOINTS", "/nowhere/at/all", "/nowhere/at/all: No such file"),
        ("CHECKPOINTS", "/dev/null", "/dev/null: Not a directory"),
        ("MODELS", "bigram,absent", "absent/manifest.json: cannot be read: No such file"),
        ("DEFAULT_MODEL", "absent", "NAMEWRIGHT_DEFAULT_MODEL is 'absent'"),
        ("UNSAFE_WORDS", "/nowhere/words", "/nowhere/words: cannot be read: No such file"),
    ],
)
def test_a_setting_that_names_what_is_not_there_stops_the_start(
    tmp_path: Path, setting: str, value: str, said: str
) -> None:
    text = refused(tmp_path / "log", **({"DEFAULT_MODEL": "bigram"} | {setting: value}))
    assert said in text
    assert_for_operators(text)


def test_a_list_of_words_that_is_not_in_order_stops_the_start_with_its_line(
    tmp_path: Path,
) -> None:
    path = tmp_path / "words.txt"
    path.write_text("fig\ndate palm\n")
    given = {"MODELS": "bigram", "DEFAULT_MODEL": "bigram", "UNSAFE_WORDS": path}
    text = refused(tmp_path / "log", **given)
    assert f"NAMEWRIGHT_UNSAFE_WORDS: {path}: line 2: is not one word" in text
    assert_for_operators(text)


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_bad_file_of_keys_stops_the_start_with_its_line_and_not_what_it_holds(
    tmp_path: Path, workers: int
) -> None:
    keys = tmp_path / "keys"
    keys.write_text("# of 2026\nnw_plain-key\n")
    given = {"API_KEYS_FILE": keys, "MODELS": "bigram", "DEFAULT_MODEL": "bigram"}
    text = refused(tmp_path / "log", WORKERS=workers, **given)
    assert f"cannot start: NAMEWRIGHT_API_KEYS_FILE: {keys}: line 2 is not sha256:" in text
    assert "plain-key" not in text
    assert_for_operators(text)


@pytest.mark.slow
def test_an_empty_folder_of_checkpoints_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    text = refused(tmp_path / "log", CHECKPOINTS=tmp_path / "empty")
    assert f"loaded from {tmp_path / 'empty'}: nothing" in text
    assert_for_operators(text)


@pytest.mark.slow
@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_cuda_asked_for_and_absent_stops_the_start(tmp_path: Path) -> None:
    text = refused(tmp_path / "log", DEVICE="cuda", MODELS="bigram", DEFAULT_MODEL="bigram")
    assert "NAMEWRIGHT_DEVICE is 'cuda', but torch finds no CUDA device" in text
    assert_for_operators(text)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_a_port_in_use_stops_the_start(tmp_path: Path, workers: int) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        given = {"PORT": port, "WORKERS": workers, "MODELS": "bigram", "DEFAULT_MODEL": "bigram"}
        text = refused(tmp_path / "log", **given)
    assert "address already in use" in text.lower()
    assert_for_operators(text)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("API_KEYS", "nw_plain"),
        ("PORT", "0"),
        ("WORKERS", "x"),
        ("DEFAULT_MODEL", "../bigram"),
    ],
)
def test_a_bad_setting_stops_the_start_and_is_named_as_it_was_set(
    tmp_path: Path, setting: str, value: str
) -> None:
    text = refused(tmp_path / "log", **{setting: value})
    assert text.startswith(f"error: NAMEWRIGHT_{setting}: ")
    assert len(text.splitlines()) == 1


def test_every_bad_setting_is_told_at_once(tmp_path: Path) -> None:
    text = refused(tmp_path / "log", PORT=0, WORKERS="x", DEVICE="tpu")
    assert [line.split(": ")[1] for line in text.splitlines()] == [
        "NAMEWRIGHT_DEVICE",
        "NAMEWRIGHT_PORT",
        "NAMEWRIGHT_WORKERS",
    ]

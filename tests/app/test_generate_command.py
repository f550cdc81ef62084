"""python -m app generate: the names of the service, to standard output."""

import csv
import io
import json
import os
import pty
import re
import signal
import subprocess
import sys
import termios
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.__main__ import main
from app.generate_command import GenerateOptions
from app.schemas import GenerateQuery
from models.checkpoint import load_checkpoint
from models.generation import generate
from models.request import GenerationRequest
from tests.exact import CHECKPOINTS
from tests.service.conftest import serving

ROOT = Path(__file__).parent.parent.parent
LIMIT_S = 120
FORMULA = "=+@\t\r\n＝＋－＠-"
"""What a spreadsheet may take for the beginning of a formula."""


@dataclass(frozen=True)
class Done:
    """What a command has come to."""

    status: int | str | None
    stdout: bytes
    stderr: str


Run = Callable[..., Done]


@pytest.fixture
def run(capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch) -> Run:
    """run(*arguments, SETTING=value, ...): the command line, in this process, which is quicker."""

    def call(*arguments: object, **settings: object) -> Done:
        for name in [name for name in os.environ if name.startswith("NAMEWRIGHT_")]:
            monkeypatch.delenv(name)
        for name, value in ({"DEFAULT_MODEL": "bigram"} | settings).items():
            monkeypatch.setenv(f"NAMEWRIGHT_{name}", str(value))
        try:
            status: int | str | None = main([str(argument) for argument in arguments])
        except SystemExit as exited:
            status = exited.code
        written = capfdbinary.readouterr()
        return Done(status, written.out, written.err.decode())

    return call


@pytest.fixture
def output(run: Run) -> Callable[..., bytes]:
    """output(*options, SETTING=value, ...): what `generate` writes when all is well."""

    def call(*options: object, **settings: object) -> bytes:
        done = run("generate", *options, **settings)
        assert (done.status, done.stderr) == (0, "")
        return done.stdout

    return call


Output = Callable[..., bytes]


def test_names_are_those_of_the_models_own_sampler(output: Output) -> None:
    checkpoint = load_checkpoint(CHECKPOINTS / "bigram")
    expected = generate(
        checkpoint.model, checkpoint.vocabulary, GenerationRequest(seed=7, n=1000, offset=3)
    )
    written = output("-n", 1000, "--seed", 7, "--offset", 3)
    assert written.decode().split("\n") == [*(drawn.name for drawn in expected.names), ""]


@pytest.mark.slow
def test_the_command_writes_the_bytes_that_the_service_streams(
    tmp_path: Path, output: Output
) -> None:
    given: list[dict[str, object]] = [
        {"model": "gru", "n": 3000, "seed": "emma"},
        {"model": "gru-ngram", "n": 300, "seed": 7, "scores": "true", "max_length": 6},
        {"model": "bigram", "n": 3000, "seed": 2**64 - 1, "temperature": 0.8, "top_k": 10},
        {"model": "bigram", "n": 2000, "seed": 1, "top_p": 0.9, "min_p": 0.01, "prefix": "ma"},
        {"model": "korean-gpt", "n": 20, "seed": 1, "max_length": 30, "prefix": "한국"},
        {"model": "bigram", "n": 2000, "seed": 3, "min_length": 9, "offset": 12_345},
    ]
    with serving(tmp_path / "log") as service:
        streamed = [service.client.get("/generate/stream", params=each).content for each in given]  # type: ignore[arg-type]
    for each, expected in zip(given, streamed, strict=True):
        scores = ["--scores"] if each.pop("scores", None) else []
        options = [
            part
            for name, value in each.items()
            for part in ("-n" if name == "n" else f"--{name.replace('_', '-')}", value)
        ]
        assert output(*options, *scores, "--format", "jsonl", TREE_MEMORY_MB=1) == expected


def test_every_format_has_the_same_names(output: Output) -> None:
    given = ("-n", 500, "--seed", "emma", "--max-length", 7)
    names = output(*given).decode().split("\n")[:-1]
    lines = [json.loads(line) for line in output(*given, "--format", "jsonl").splitlines()]
    table = csv.DictReader(io.StringIO(output(*given, "--format", "csv").decode()))
    rows = list(table)
    assert names == [line["name"] for line in lines[:-1]] == [row["name"] for row in rows]
    assert [line["index"] for line in lines[:-1]] == [int(row["index"]) for row in rows]
    assert lines[-1]["end"] == "complete"
    assert table.fieldnames == ["name", "index"]


def test_scores_are_the_same_in_both_formats_that_have_them(output: Output) -> None:
    given = ("-n", 50, "--seed", 1, "--scores", "--format")
    lines = [json.loads(line) for line in output(*given, "jsonl").splitlines()]
    rows = csv.DictReader(io.StringIO(output(*given, "csv").decode()))
    assert [line["nll"] for line in lines[:-1]] == [float(row["nll"]) for row in rows]


def test_running_text_of_any_characters_survives_csv_and_no_cell_is_a_formula(
    make_checkpoint: Callable[..., Path], output: Output
) -> None:
    folder = make_checkpoint("gru", kind="text", block_size=25, alphabet="a,\n\"'=+-@\t\r＝")
    given = ("-n", 500, "--seed", 1, "--max-length", 20, "--format")
    settings = {"CHECKPOINTS": folder.parent, "DEFAULT_MODEL": folder.name}
    lines = [json.loads(line) for line in output(*given, "jsonl", **settings).splitlines()]
    table = io.StringIO(output(*given, "csv", **settings).decode(), newline="")
    cells = [row["name"] for row in csv.DictReader(table)]
    names = [line["name"] for line in lines[:-1]]
    assert not [cell for cell in cells if cell[0] in FORMULA]
    # As documented: what begins with apostrophes and one of these has an apostrophe too many.
    assert [re.sub(f"^'(?='*[{FORMULA}])", "", cell) for cell in cells] == names
    assert [name for name in names if name[0] in FORMULA]
    assert [name for name in names if name[0] == "'" and name.lstrip("'")[:1] in [*FORMULA]]
    assert any("\n" in name for name in names)


def test_without_a_seed_it_says_how_to_get_the_same_names_again(run: Run) -> None:
    drawn = run("generate", "-n", 20)
    *_, seed = drawn.stderr.split()
    again = run("generate", "-n", 20, "--seed", seed)
    assert (again.stdout, again.stderr) == (drawn.stdout, "")
    assert run("generate", "-n", 20).stdout != drawn.stdout


def test_every_parameter_of_the_service_is_an_option(run: Run) -> None:
    of_one_answer = {"unique"}
    assert set(GenerateQuery.model_fields) - of_one_answer <= set(GenerateOptions.model_fields)
    described = run("generate", "--help").stdout.decode()
    for name in GenerateOptions.model_fields:
        assert ("-n N" if name == "n" else f"--{name.replace('_', '-')}") in described
    assert "None" not in described


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["-n", "0"], "-n: is out of range; allowed: 1 to"),
        (["-n", "5.0"], "-n: must be an integer"),
        (["--top-k", "0"], "--top-k: is out of range; allowed: 1 to 65536"),
        (["--temperature", "nan"], "--temperature: must be a number; allowed: 0 to 10"),
        (["--offset", "-1"], "--offset: is out of range"),
        (["--seed", ""], "--seed: has 0 characters"),
        (["--prefix", "E"], "--prefix: the character at position 0 (U+0045)"),
        (["--min-length", "5", "--max-length", "4"], "--min-length: is out of range"),
        (["--model", "nope"], "--model: no such model; served here: bigram, "),
        (["--model", "../bigram"], "--model: no such model"),
        (["--fingerprint", "x"], "--fingerprint: is not that of bigram, which is "),
        (["--format", "xml"], "--format: "),
        (["--scores"], "--scores: has no place in text; add --format"),
        (["--top", "5"], "unrecognized arguments: --top 5"),
        (["-n"], "argument -n: expected one argument"),
    ],
)
def test_an_error_is_one_line_that_names_the_option(
    run: Run, options: list[str], said: str
) -> None:
    done = run("generate", "--seed", "1", *options)
    assert (done.status, done.stdout) == (2, b"")
    assert done.stderr.startswith(f"error: {said}")
    assert done.stderr.count("\n") == 1


def test_settings_and_checkpoints_not_in_order_are_errors_of_one_line(
    run: Run, tmp_path: Path
) -> None:
    (tmp_path / "broken").mkdir()
    for settings, said in [
        ({"PORT": "x"}, "error: NAMEWRIGHT_PORT: "),
        ({"CHECKPOINTS": tmp_path / "nowhere"}, "error: NAMEWRIGHT_CHECKPOINTS: "),
        (
            {"CHECKPOINTS": tmp_path, "DEFAULT_MODEL": "broken"},
            f"error: {tmp_path}/broken/manifest.json: ",
        ),
    ]:
        done = run("generate", **settings)
        assert (done.status, done.stdout) == (2, b"")
        assert done.stderr.startswith(said)
        assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "status"), [(["--help"], 0), (["nope"], 2), (["serve", "x"], 2), (["--n"], 2)]
)
def test_an_unknown_command_tells_the_known_ones(
    run: Run, arguments: list[str], status: int
) -> None:
    done = run(*arguments)
    assert done.status == status
    assert "python -m app generate" in done.stdout.decode() + done.stderr


def test_a_stream_that_gives_no_name_any_more_ends_with_a_status(run: Run) -> None:
    given = ("--temperature", 0, "--prefix", "q", "--max-length", 1, "--seed", 1)
    done = run("generate", *given, "--format", "jsonl")
    assert done.status == 1
    assert json.loads(done.stdout)["end"] == "exhausted"
    assert done.stderr.startswith("only 0 names")


def start(*options: object, stderr: int) -> "subprocess.Popen[bytes]":
    """The command in a process of its own, where signals, pipes and terminals are real."""
    inherited = {name: value for name, value in os.environ.items() if "NAMEWRIGHT_" not in name}
    return subprocess.Popen(
        [sys.executable, "-m", "app", "generate", *(str(option) for option in options)],
        cwd=ROOT,
        env=inherited | {"NAMEWRIGHT_DEFAULT_MODEL": "bigram"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=stderr,
    )


def test_a_reader_that_has_enough_ends_it_quietly(output: Output) -> None:
    with start("-n", 10**9, "--seed", 7, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        first = [process.stdout.readline() for _ in range(3)]
        process.stdout.close()
        assert process.wait(LIMIT_S) == 128 + signal.SIGPIPE
        assert process.stderr.read() == b""
    assert b"".join(first) == output("-n", 3, "--seed", 7)


def test_control_c_ends_it_without_a_traceback() -> None:
    with start("-n", 10**9, "--seed", 7, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline()
        process.send_signal(signal.SIGINT)
        process.stdout.read()
        assert process.wait(LIMIT_S) == 128 + signal.SIGINT
        assert process.stderr.read() == b""


def test_progress_is_shown_on_a_terminal() -> None:
    terminal, its_end = pty.openpty()
    termios.tcsetwinsize(its_end, (24, 80))
    with start("-n", 20_000, "--seed", 7, stderr=its_end) as process:
        os.close(its_end)
        assert process.stdout is not None
        assert process.stdout.read().count(b"\n") == 20_000
        shown = os.read(terminal, 65536)
        assert process.wait(LIMIT_S) == 0
    os.close(terminal)
    assert b" names" in shown


@pytest.mark.slow
def test_memory_does_not_grow_with_the_names() -> None:
    def peak_bytes(n: int) -> int:
        process = start("-n", n, "--seed", 7, stderr=subprocess.DEVNULL)
        assert process.stdout is not None
        while process.stdout.read(1 << 16):
            pass
        process.stdout.close()
        _, status, usage = os.wait4(process.pid, 0)
        assert status == 0
        process.returncode = 0
        return usage.ru_maxrss << 10

    assert peak_bytes(80_000) - peak_bytes(5_000) < 8 << 20

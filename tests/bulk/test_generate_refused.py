"""python -m bulk generate, where it is refused before a worker starts."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bulk.__main__ import main

Run = Callable[..., tuple[int | str | None, str]]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """run(*options): the command in this process, where it is refused before a worker starts."""

    def call(*arguments: object) -> tuple[int | str | None, str]:
        monkeypatch.setenv("NAMEWRIGHT_DEFAULT_MODEL", "bigram")
        try:
            status: int | str | None = main(["generate", *map(str, arguments)])
        except SystemExit as exited:
            status = exited.code
        return status, capfd.readouterr().err

    return call


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--shard", "0"], "--shard: is out of range; allowed: 1 to 1000000000"),
        (["--shard", "5"], "--shard: makes more than 100000 files; allowed: 10 on"),
        (["--count", "1e6"], "--count: must be an integer; allowed: 1 to 1000000000000"),
        (["--offset", str(9 * 10**15)], "--count: goes beyond the last index, "),
        (["--workers", "0"], "--workers: is out of range; allowed: 1 to 256"),
        (["--scheduler", "nonsense"], "--scheduler: "),
        (["--scheduler", "tcp://h:1", "--workers", "2"], "--workers: are those of the scheduler"),
        (["--prefix", "E"], "--prefix: the character at position 0 (U+0045)"),
        (["--min-length", "5", "--max-length", "4"], "--min-length: is out of range"),
        (["--model", "nope"], "--model: no such model; served here: "),
        (["--fingerprint", "x"], "--fingerprint: is not that of bigram, which is "),
        (["--out", ""], "--out: "),
        (["--unique"], "unrecognized arguments: --unique"),
    ],
)
def test_an_error_is_one_line_that_names_the_option_and_nothing_is_written(
    run: Run, tmp_path: Path, options: list[str], said: str
) -> None:
    folder = tmp_path / "names"
    status, told = run("--seed", 7, "--count", 10**6, "--out", folder, *options)
    assert status == 2
    assert told.startswith(f"error: {said}")
    assert told.count("\n") == 1
    assert not folder.exists()


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("tls://127.0.0.1:1", "is one of TLS, and Dask is not told of keys"),
        ("tcp://[::1:3", "is no address: "),
    ],
)
def test_a_scheduler_that_cannot_be_used_is_an_error_of_one_line(
    run: Run, tmp_path: Path, address: str, said: str
) -> None:
    status, told = run("--seed", 7, "--count", 5, "--out", tmp_path / "o", "--scheduler", address)
    assert (status, told.count("\n")) == (2, 1)
    assert told.startswith(f"error: --scheduler: {said}")


@pytest.mark.parametrize("missing", ["--seed", "--count", "--out"])
def test_what_makes_a_job_must_be_said(run: Run, tmp_path: Path, missing: str) -> None:
    given = {"--seed": "7", "--count": "5", "--out": str(tmp_path / "names")}
    del given[missing]
    status, told = run(*(part for pair in given.items() for part in pair))
    assert (status, told.count("\n")) == (2, 1)
    assert missing in told


def test_a_folder_that_cannot_be_made_is_an_error_of_one_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    status, told = run("--seed", 7, "--count", 5, "--out", tmp_path / "file" / "names")
    assert status == 2
    assert told == f"error: [Errno 20] Not a directory: '{tmp_path}/file/names'\n"


@pytest.mark.parametrize(("arguments", "status"), [([], 2), (["nope"], 2), (["--help"], 0)])
def test_an_unknown_command_tells_the_known_ones(
    capfd: pytest.CaptureFixture[str], arguments: list[str], status: int
) -> None:
    assert main(arguments) == status
    told = capfd.readouterr()
    assert "python -m bulk generate" in told.out + told.err

"""Finding and downloading names.txt, against a real HTTP server on this machine."""

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import training.sources
from training.corpus import CorpusError
from training.sources import find_names, find_text


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder and the address under which a server gives its files."""
    folder = tmp_path / "served"
    folder.mkdir()
    with ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(QuietHandler, directory=str(folder))
    ) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield folder, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("NAMEWRIGHT_DATA", raising=False)
    monkeypatch.setenv("NAMEWRIGHT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_a_given_path_is_taken_as_it_is(tmp_path: Path) -> None:
    assert find_names(tmp_path / "mine.txt") == tmp_path / "mine.txt"


def test_the_data_folder_comes_before_a_download(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NAMEWRIGHT_DATA", str(tmp_path))
    (tmp_path / "names.txt").write_text("emma\n")
    assert find_names(url="http://127.0.0.1:9/never-asked") == tmp_path / "names.txt"


def test_a_data_folder_without_the_file_is_an_error_not_a_download(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NAMEWRIGHT_DATA", str(tmp_path))
    with pytest.raises(CorpusError, match="NAMEWRIGHT_DATA must hold names"):
        find_names()


def test_a_download_is_kept_and_not_fetched_again(
    served: tuple[Path, str], cache: Path, names_path: Path
) -> None:
    folder, address = served
    (folder / "names.txt").write_bytes(names_path.read_bytes())
    found = find_names(url=f"{address}/names.txt")
    assert found.parent == cache
    assert found.read_bytes() == names_path.read_bytes()
    (folder / "names.txt").unlink()
    assert find_names(url=f"{address}/names.txt") == found


def test_a_file_with_another_hash_is_refused_and_not_kept(
    served: tuple[Path, str], cache: Path
) -> None:
    folder, address = served
    (folder / "names.txt").write_text("emma\nolivia\n")
    with pytest.raises(CorpusError, match="hash"):
        find_names(url=f"{address}/names.txt")
    assert not list(cache.glob("*"))


def test_a_file_that_is_not_there_is_refused_with_the_remedy(
    served: tuple[Path, str], cache: Path
) -> None:
    with pytest.raises(CorpusError, match="404.*--data"):
        find_names(url=f"{served[1]}/names.txt")
    assert not list(cache.glob("*"))


def test_a_damaged_cache_is_downloaded_again(served: tuple[Path, str], names_path: Path) -> None:
    folder, address = served
    (folder / "names.txt").write_bytes(names_path.read_bytes())
    find_names(url=f"{address}/names.txt").write_bytes(b"half a fi")
    assert find_names(url=f"{address}/names.txt").read_bytes() == names_path.read_bytes()


def test_the_address_is_makemores_public_repository() -> None:
    assert training.sources.NAMES_URL.startswith(
        "https://raw.githubusercontent.com/karpathy/makemore"
    )


def test_running_text_is_found_in_the_data_folder_and_never_downloaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert find_text(tmp_path / "mine.txt") == tmp_path / "mine.txt"
    with pytest.raises(CorpusError, match="--data, or korean.txt in NAMEWRIGHT_DATA"):
        find_text()
    monkeypatch.setenv("NAMEWRIGHT_DATA", str(tmp_path))
    with pytest.raises(CorpusError, match="NAMEWRIGHT_DATA must hold korean"):
        find_text()
    (tmp_path / "korean.txt").write_text("나")
    assert find_text() == tmp_path / "korean.txt"

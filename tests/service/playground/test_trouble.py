"""The playground says what is wrong with the service, and goes on; /docs needs no other site."""

import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlencode

import httpx
import pytest
from playwright.sync_api import Browser, expect

from tests.service.conftest import STOP_LIMIT_S, Serve, free_port, kill, launch
from tests.service.playground.conftest import LONG_MS, REFUSED, done, names, opened


def test_the_documentation_opens_without_another_site(
    browser: Browser, client: httpx.Client
) -> None:
    with opened(browser, base_url=str(client.base_url)) as (page, complaints):
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto("/docs")
        page.get_by_text("Generate names", exact=True).click()
        expect(page.get_by_text("Draw names from a model")).to_be_visible()
        assert all(url.startswith((str(client.base_url), "data:")) for url in asked)
        assert complaints == []


@contextmanager
def listening(port: int, log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A service on this port, ready; it may have been ended when this is left."""
    process = launch(log, PORT=port, MODELS="mixture", DEFAULT_MODEL="mixture")
    try:
        for _ in range(600):
            with suppress(httpx.TransportError):
                if httpx.get(f"http://127.0.0.1:{port}/readyz", trust_env=False).is_success:
                    break
            time.sleep(0.1)
        yield process
    finally:
        kill(process.pid)
        process.wait()


def test_the_page_says_that_the_service_is_gone_and_goes_on_when_it_is_back(
    browser: Browser, client: httpx.Client, tmp_path: Path
) -> None:
    expected = client.get("/generate?model=mixture&seed=7&n=30").json()["names"]
    port = free_port()
    with opened(browser) as (page, complaints):
        with listening(port, tmp_path / "log"):
            page.goto(f"http://127.0.0.1:{port}/")
            done(page, 24)
        page.get_by_label("Seed", exact=True).fill("7")
        page.get_by_label("How many").fill("30")
        page.get_by_role("button", name="Generate").click()
        expect(page.locator("#trouble")).to_contain_text("The service does not answer")
        with listening(port, tmp_path / "again"):
            expect(page.locator("#trouble")).to_contain_text("is back", timeout=LONG_MS)
            done(page, 30)
            assert names(page) == expected
            expect(page.locator("#trouble")).to_be_hidden()
        assert [text for text in complaints if not text.startswith(REFUSED)] == []


@pytest.mark.parametrize(
    "sent", [pytest.param(signal.SIGTERM, marks=pytest.mark.slow), signal.SIGKILL]
)
def test_names_that_are_cut_off_go_on_where_they_ended(
    browser: Browser, client: httpx.Client, tmp_path: Path, sent: signal.Signals
) -> None:
    query = {"model": "mixture", "seed": "42", "n": "1000", "temperature": "2"}
    expected = client.get("/generate", params=query).json()["names"]
    port = free_port()
    with opened(browser) as (page, complaints):
        with listening(port, tmp_path / "log") as process:
            page.goto(f"http://127.0.0.1:{port}/#{urlencode(query)}")
            expect(page.locator("#list button").nth(15)).to_be_visible()
            process.send_signal(sent)
            process.wait(STOP_LIMIT_S)
        expect(page.locator("#trouble")).to_contain_text("The service does not answer")
        assert 16 <= len(names(page)) < 1000
        with listening(port, tmp_path / "again"):
            done(page, 1000, LONG_MS)
            assert names(page) == expected
        assert [text for text in complaints if not text.startswith(REFUSED)] == []


def keep_busy(client: httpx.Client, enough: threading.Event, seed: int) -> None:
    while not enough.is_set():
        client.get(f"/generate?model=mixture&n=1000&temperature=3&seed={seed}")
        time.sleep(0.01)


def test_the_page_says_that_the_service_is_busy_and_asks_again_later(
    browser: Browser, serve: Serve
) -> None:
    settings = {"QUEUE_SIZE": 1, "MODELS": "bigram,mixture", "DEFAULT_MODEL": "bigram"}
    with (
        serve(**settings) as service,
        opened(browser) as (page, complaints),
        ThreadPoolExecutor(2) as pool,
    ):
        page.goto(str(service.client.base_url))
        done(page, 24)
        enough = threading.Event()
        for seed in (1, 2):  # one is under way while the other is refused
            pool.submit(keep_busy, service.client, enough, seed)
        try:
            page.get_by_label("or type one").fill("emma")
            expect(page.locator("#trouble")).to_contain_text("The service is busy")
        finally:
            enough.set()
        expect(page.locator("#trouble")).to_contain_text("is back", timeout=LONG_MS)
        expect(page.locator("#score tbody tr")).to_have_count(5)
        assert [text for text in complaints if not text.startswith(REFUSED)] == []

"""The playground in a real browser, on a real server.

Debian's Chromium, or another that is on the path. It is started for this file and ended with
it: while it runs, Playwright keeps an event loop in the main thread, which other tests need.
"""

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.service.conftest import Service

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
REFUSED = "Failed to load resource"
"""What the browser itself writes to the console for an answer that is an error."""

LONG_MS = 60_000
"""For what waits on the start of a service."""

Open = Callable[..., Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no Chromium is on the path")
    with sync_playwright() as playwright:
        # A container's root has no sandbox, and often little of /dev/shm.
        arguments = ["--no-sandbox", "--disable-dev-shm-usage"]
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield running
        running.close()


@contextmanager
def opened(browser: Browser, **options: object) -> Iterator[tuple[Page, list[str]]]:
    """A page of a context of its own, and all that it complains of in its console."""
    context = browser.new_context(**options)  # type: ignore[arg-type]
    complaints: list[str] = []
    page = context.new_page()
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "console",
        lambda message: message.type in ("error", "warning") and complaints.append(message.text),
    )
    yield page, complaints
    context.close()


@pytest.fixture
def open_page(browser: Browser, service: Service) -> Iterator[Open]:
    """open_page(hash="", ready=True, **context options) -> the playground, its names drawn.

    Fails if a page that it opened has anything in its console but refused requests where
    `refused=True`.
    """
    contexts = []

    def open_one(link: str = "", *, refused: bool = False, **options: object) -> Page:
        context = opened(browser, base_url=str(service.client.base_url), **options)
        page, complaints = context.__enter__()
        contexts.append((context, complaints, refused))
        page.goto(f"/{link}")
        expect(page.locator("#status")).to_contain_text("seed")
        return page

    yield open_one
    for context, complaints, refused in contexts:
        context.__exit__(None, None, None)
        left = [text for text in complaints if not (refused and text.startswith(REFUSED))]
        assert left == []


def names(page: Page) -> list[str]:
    return page.locator("#list button").all_text_contents()


def done(page: Page, count: int, limit_ms: float = 10_000) -> None:
    """Wait until so many names are there, and no more are drawn."""
    expect(page.locator("#status")).to_have_text(re.compile(rf"^{count} "), timeout=limit_ms)


def generate(page: Page, count: int, **fields: str) -> list[str]:
    """Fill in fields by their label, press Generate, and give the names."""
    page.get_by_label("How many").fill(str(count))
    for label, value in fields.items():
        page.get_by_label(label.replace("_", " "), exact=True).fill(value)
    page.get_by_role("button", name="Generate").click()
    done(page, count)
    return names(page)


def rows(page: Page) -> list[list[str]]:
    return [
        [text for text in row.locator("th, td").all_text_contents() if text]
        for row in page.locator("#score tbody tr").all()
    ]


def assert_no_sideways_scroll(page: Page) -> None:
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= page.evaluate("document.documentElement.clientWidth")

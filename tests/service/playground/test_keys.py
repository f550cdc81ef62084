"""The playground of a service that has keys: it asks for one, and goes on without a reload."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.service.conftest import Service, serving
from tests.service.keyed import ALICE, BOB, replace
from tests.service.playground.conftest import (
    LONG_MS,
    REFUSED,
    assert_no_sideways_scroll,
    done,
    names,
    opened,
)

MODELS = {"MODELS": "bigram,gru", "DEFAULT_MODEL": "gru"}


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of the service's keys."""
    return tmp_path_factory.mktemp("keys") / "keys"


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory, keys: Path) -> Iterator[Service]:
    replace(keys, ALICE)
    log = tmp_path_factory.mktemp("keyed") / "log"
    with serving(log, API_KEYS_FILE=keys, **MODELS) as running:
        yield running


@contextmanager
def locked(
    browser: Browser, keyed: Service, link: str = "", **options: object
) -> Iterator[tuple[Page, list[str]]]:
    """The page, which asks for its key; it may complain of refused requests alone."""
    base_url = str(keyed.client.base_url)
    with opened(browser, base_url=base_url, **options) as (page, complaints):
        page.goto(f"/{link}")
        expect(page.get_by_label("Key", exact=True)).to_be_focused()
        yield page, complaints
        assert [text for text in complaints if not text.startswith(REFUSED)] == []


def enter(page: Page, key: str) -> None:
    page.get_by_label("Key", exact=True).fill(key)
    page.keyboard.press("Enter")


def test_with_a_key_everything_on_the_page_works(
    browser: Browser, keyed: Service, client: httpx.Client
) -> None:
    expected = client.get("/generate?model=gru&seed=7&n=12").json()["names"]
    with locked(browser, keyed, "#seed=7&n=12") as (page, complaints):
        expect(page.locator("#key-status")).to_have_text("This service needs a key.")
        expect(page.locator("main")).to_be_hidden()
        enter(page, ALICE)
        done(page, 12)
        assert names(page) == expected
        expect(page.locator("#names-title")).to_be_focused()
        expect(page.get_by_label("Key", exact=True)).to_be_hidden()
        assert len(complaints) == 1  # the first request alone was without a key
        page.locator("#list button").first.click()
        expect(page.locator("#score tbody tr")).to_have_count(len(expected[0]) + 1)
        page.get_by_role("button", name="More").click()
        done(page, 24)
        page.get_by_role("button", name="Compare models").click()
        expect(page.locator("#comparison-status")).to_contain_text("by 2 models")
        expect(page.locator("#columns li")).to_have_count(20)
        page.get_by_text("Pictures").click()
        expect(page.locator("#plots img").first).to_be_visible()
        drawn = "images => images.every((image) => image.complete && image.naturalWidth > 0)"
        expect(page.locator("#plots img")).to_have_count(6)
        page.wait_for_function(f"({drawn})([...document.querySelectorAll('#plots img')])")
        with page.expect_download() as download:
            page.get_by_role("button", name="Download").click()
        assert Path(download.value.path()).read_text().split() == names(page)
        assert len(complaints) == 1


def test_a_wrong_key_is_said_to_be_wrong_and_can_be_corrected(
    browser: Browser, keyed: Service
) -> None:
    with locked(browser, keyed, "#seed=7&n=12") as (page, _):
        field, said = page.get_by_label("Key", exact=True), page.locator("#key-status")
        for wrong in ("nw_wrong", "clé", "two words", "nw_wrong"):
            enter(page, wrong)
            expect(said).to_have_text("The service does not take this key.")
            expect(said).to_have_role("alert")
            expect(field).to_have_attribute("aria-invalid", "true")
            expect(field).to_be_focused()
            expect(page.locator("main")).to_be_hidden()
        enter(page, f" {ALICE} ")
        done(page, 12)


def test_a_key_is_in_no_address_and_lasts_as_long_as_the_tab(
    browser: Browser, keyed: Service
) -> None:
    with locked(browser, keyed, "#seed=7&n=12") as (page, complaints):
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        enter(page, ALICE)
        done(page, 12)
        assert page.get_by_label("Key", exact=True).input_value() == ""
        assert ALICE not in page.content()
        assert ALICE not in page.url
        page.reload()
        done(page, 12)
        assert len(complaints) == 1
        assert [url for url in asked if ALICE in url] == []
        other = page.context.new_page()
        other.goto("/")
        expect(other.get_by_label("Key", exact=True)).to_be_focused()


def test_a_key_that_is_forgotten_is_asked_for_again(browser: Browser, keyed: Service) -> None:
    with locked(browser, keyed, "#seed=7&n=12") as (page, _):
        enter(page, ALICE)
        done(page, 12)
        page.get_by_role("button", name="Forget key").click()
        expect(page.get_by_label("Key", exact=True)).to_be_focused()
        assert names(page) == []
        page.reload()
        expect(page.get_by_label("Key", exact=True)).to_be_focused()


def test_a_key_that_is_exchanged_meanwhile_is_asked_for_and_what_waited_goes_on(
    browser: Browser, keyed: Service, keys: Path
) -> None:
    with locked(browser, keyed, "#seed=7&n=12") as (page, _):
        enter(page, ALICE)
        done(page, 12)
        first = names(page)
        replace(keys, BOB)
        try:
            page.wait_for_timeout(1100)
            page.get_by_label("or type one").fill("emma")
            field = page.get_by_label("Key", exact=True)
            expect(field).to_be_visible(timeout=LONG_MS)
            expect(page.get_by_label("or type one")).to_be_focused()  # writing is not interrupted
            page.get_by_role("button", name="More").click()
            expect(field).to_be_in_viewport()
            enter(page, BOB)
            expect(page.locator("#score tbody tr")).to_have_count(5)
            done(page, 24)
            assert names(page)[:12] == first
        finally:
            replace(keys, ALICE)
            page.wait_for_timeout(1100)


def test_where_there_are_no_keys_none_is_asked_for(browser: Browser, client: httpx.Client) -> None:
    with opened(browser, base_url=str(client.base_url)) as (page, complaints):
        page.goto("/#seed=7&n=12")
        done(page, 12)
        expect(page.get_by_label("Key", exact=True)).to_be_hidden()
        expect(page.get_by_role("button", name="Forget key")).to_be_hidden()
        assert complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_narrow_screen_has_room_for_the_key(
    browser: Browser, keyed: Service, scheme: str
) -> None:
    options = {"viewport": {"width": 360, "height": 740}, "color_scheme": scheme}
    with locked(browser, keyed, **options) as (page, _):
        assert_no_sideways_scroll(page)
        expect(page.get_by_role("button", name="Use key")).to_be_in_viewport()
        enter(page, "nw_wrong")
        expect(page.locator("#key-status")).to_have_text(re.compile("does not take"))
        assert_no_sideways_scroll(page)
        enter(page, ALICE)
        done(page, 24)
        assert_no_sideways_scroll(page)


def test_the_documentation_sends_the_key_that_it_is_given(browser: Browser, keyed: Service) -> None:
    with opened(browser, base_url=str(keyed.client.base_url)) as (page, complaints):
        page.goto("/docs")
        page.get_by_role("button", name="Authorize").click()
        page.locator("section input").first.fill(ALICE)
        page.locator(".modal-ux button.authorize").first.click()
        page.get_by_role("button", name="Close").first.click()
        page.get_by_text("What runs here", exact=True).click()
        page.get_by_role("button", name="Try it out").click()
        page.get_by_role("button", name="Execute").click()
        expect(page.locator(".live-responses-table .response .response-col_status")).to_have_text(
            re.compile("^200")
        )
        assert complaints == []

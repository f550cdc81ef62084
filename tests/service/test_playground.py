"""The playground in a real browser, on a real server.

Debian's Chromium, or another that is on the path. It is started for this file and ended with
it: while it runs, Playwright keeps an event loop in the main thread, which other tests need.
"""

import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlencode

import httpx
import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from tests.service.conftest import STOP_LIMIT_S, Serve, Service, free_port, kill, launch

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
REFUSED = "Failed to load resource"
"""What the browser itself writes to the console for an answer that is an error."""

LONG_MS = 60_000
"""For what waits on the start of a service."""

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is on the path")

Open = Callable[..., Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
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


def test_names_are_there_at_once_and_the_form_draws_those_of_the_service(
    open_page: Open, client: httpx.Client
) -> None:
    page = open_page()
    expect(page.locator("#status")).to_contain_text("24 names by gru-ngram")
    assert len(set(names(page))) > 12
    shown = generate(page, 40, Seed="emma", Begins_with="ma", Longest="6")
    query = {"n": 40, "seed": "emma", "prefix": "ma", "max_length": 6}
    assert shown == client.get("/generate", params=query).json()["names"]
    page.get_by_role("button", name="More", exact=True).click()
    done(page, 80)
    assert names(page) == client.get("/generate", params=query | {"n": 80}).json()["names"]


def test_conditions_are_asked_for_and_stand_in_the_link(
    open_page: Open, client: httpx.Client
) -> None:
    page = open_page()
    page.get_by_text("More settings").click()
    page.get_by_label("not in the training data").check()
    given = {"Seed": "7", "Ends_with": "n", "Pattern": "?a*", "Without": "y,dd"}
    shown = generate(page, 20, **given)
    query = {"n": 20, "seed": "7", "suffix": "n", "pattern": "?a*", "exclude": "y,dd"}
    query |= {"novel": "true"}
    assert shown == client.get("/generate", params=query).json()["names"]
    replayed = open_page(page.evaluate("location.hash"))
    done(replayed, 20)
    assert names(replayed) == shown
    assert replayed.get_by_label("not in the training data").is_checked()
    expect(replayed.get_by_label("Pattern")).to_have_value("?a*")


def test_a_name_that_is_clicked_shows_its_scores(open_page: Open, client: httpx.Client) -> None:
    page = open_page("#seed=42&n=5")
    name = names(page)[1]
    page.get_by_role("button", name=name, exact=True).click()
    scored = client.get("/score", params={"word": name}).json()["results"][0]
    expect(page.locator("#score strong")).to_have_text(f"{scored['nll_per_char']:.2f}")
    expected = [
        [
            found["character"] or "end",
            f"{found['nll']:.2f}",
            f"{100 * found['probability']:.1f} %",  # none of these is below 0.1 %
            str(found["rank"]),
        ]
        for found in scored["characters"]
    ]
    assert rows(page) == expected
    said = "In the training names" if scored["in_training"] else "not in the training names"
    expect(page.locator("#score")).to_contain_text(said)


def test_a_word_is_scored_while_it_is_typed_and_a_strange_character_is_told_kindly(
    open_page: Open,
) -> None:
    page = open_page("#seed=42&n=5")
    word = page.get_by_label("or type one")
    word.press_sequentially("emma")
    expect(page.locator("#score tbody tr")).to_have_count(5)
    expect(page.locator("#score")).to_contain_text("In the training names")
    word.press_sequentially("é")
    expect(page.locator("#score-status")).to_contain_text(
        "character 5 is not in the alphabet of gru-ngram"
    )
    expect(page.locator("#score tbody tr")).to_have_count(0)
    word.press("Backspace")
    expect(page.locator("#score tbody tr")).to_have_count(5)
    page.get_by_label("Model", exact=True).select_option("bigram")
    expect(page.locator("#score-status")).to_contain_text("by bigram")


def test_a_fault_is_told_at_its_field(open_page: Open) -> None:
    page = open_page("#seed=42&n=5", refused=True)
    for label, value, told in (
        ("Begins with", "ma1", "position 2"),
        ("top_p", "2", "0 to 1"),
        ("How many", "5000", "at most 1000"),
    ):
        if label == "top_p":
            page.get_by_text("More settings").click()
        page.get_by_label(label).fill(value)
        page.get_by_role("button", name="Generate").click()
        expect(page.locator("#fault")).to_contain_text(told)
        expect(page.get_by_label(label)).to_have_attribute("aria-invalid", "true")
        page.get_by_label(label).fill("")
    page.get_by_role("button", name="Generate").click()
    done(page, 24)
    expect(page.locator("#fault")).to_be_hidden()


def test_models_are_compared_with_one_seed(open_page: Open, client: httpx.Client) -> None:
    page = open_page("#seed=42&n=3&prefix=jo")
    page.get_by_role("button", name="Compare models").click()
    models = [model for model in client.get("/models").json()["models"] if model["kind"] == "lines"]
    expect(page.locator("#columns h3")).to_have_text([model["id"] for model in models])
    for model in models:
        query = {"seed": 42, "n": 3, "prefix": "jo", "model": model["id"]}
        drawn = client.get("/generate", params=query).json()["names"]
        column = page.locator(".column").filter(
            has=page.get_by_role("heading", name=model["id"], exact=True)
        )
        expect(column.locator("li")).to_have_text(drawn)
    page.keyboard.press("Escape")
    expect(page.locator("#comparison")).to_be_hidden()
    expect(page.get_by_role("button", name="Compare models")).to_be_focused()


def test_a_link_replays_exactly_and_back_leads_to_the_names_before(open_page: Open) -> None:
    page = open_page("#seed=42&n=5")
    first = names(page)
    page.get_by_label("Seed", exact=True).fill("")
    drawn = generate(page, 30, Begins_with="k")
    page.get_by_role("button", name="More", exact=True).click()
    done(page, 60)
    drawn = names(page)
    link = page.evaluate("location.hash")
    replayed = open_page(link)
    done(replayed, 60)
    assert names(replayed) == drawn
    expect(replayed.get_by_label("Begins with")).to_have_value("k")
    expect(replayed.locator("#changed")).to_be_hidden()
    page.go_back()
    done(page, 5)
    assert names(page) == first


def test_a_link_of_another_fingerprint_warns(open_page: Open) -> None:
    page = open_page("#seed=42&n=5&fingerprint=0123456789ab")
    expect(page.locator("#changed")).to_contain_text("The model has changed")


def test_a_link_to_a_model_that_is_not_served_says_so(open_page: Open) -> None:
    page = open_page("#seed=42&n=5", refused=True)
    page.goto("/#seed=42&n=5&model=none")
    expect(page.locator("#fault")).to_contain_text("no such model")


def test_running_text_keeps_its_lines_and_goes_on_from_a_prompt(
    open_page: Open, client: httpx.Client
) -> None:
    page = open_page("#model=korean-gpt&seed=1&n=2&max_length=60&prefix=%ED%95%9C%EA%B5%AD%0A")
    query = {"model": "korean-gpt", "seed": 1, "n": 2, "max_length": 60, "prefix": "한국\n"}
    drawn = client.get("/generate", params=query).json()["names"]
    assert [
        button.evaluate("node => node.value") for button in page.locator("#list button").all()
    ] == drawn
    first = page.locator("#list button").first
    assert first.inner_text().startswith("한국\n")
    first.click()
    expect(page.locator(".tiles li")).to_have_count(60)
    expect(page.locator(".tiles li").nth(2)).to_contain_text("↵")
    expect(page.get_by_role("button", name="Compare models")).to_be_hidden()
    expect(page.get_by_label("Shortest")).to_be_hidden()


def test_the_pictures_are_shown_with_what_they_say(open_page: Open) -> None:
    page = open_page("#seed=42&n=5")
    page.get_by_text("Pictures").click()
    pictures = page.locator("#plots img")
    expect(pictures).to_have_count(6)
    for picture in pictures.all():
        expect(picture).to_have_js_property("complete", True)
        assert picture.evaluate("node => node.naturalWidth") > 100
        assert len(picture.get_attribute("alt") or "") > 30


def test_names_are_downloaded_and_copied_as_text(open_page: Open) -> None:
    page = open_page("#seed=a%20b&n=5", permissions=["clipboard-read", "clipboard-write"])
    with page.expect_download() as download:
        page.get_by_role("button", name="Download").click()
    assert download.value.suggested_filename == "names-gru-ngram-a-b.txt"
    text = "\n".join(names(page)) + "\n"
    assert Path(download.value.path()).read_text() == text
    page.get_by_role("button", name="Copy", exact=True).click()
    expect(page.locator("#status")).to_contain_text("copied")
    assert page.evaluate("navigator.clipboard.readText()") == text
    page.get_by_role("button", name="Copy link").click()
    expect(page.locator("#status")).to_contain_text("Link copied")
    assert page.evaluate("navigator.clipboard.readText()") == page.url


def focused(page: Page) -> Locator:
    return page.locator(":focus")


def test_all_is_reached_by_the_keyboard_alone(open_page: Open) -> None:
    page = open_page("#seed=42&n=5")
    order = []
    for _ in range(22):
        page.keyboard.press("Tab")
        order.append(
            page.evaluate("document.activeElement.id || document.activeElement.textContent")
        )
    for earlier, later in (
        ("model", "n"),
        ("n", "seed"),
        ("prefix", "temperature"),
        ("compare", "more"),
    ):
        assert order.index(earlier) < order.index(later)
    page.get_by_label("Begins with").focus()
    page.keyboard.type("ka")
    page.keyboard.press("Enter")
    expect(page.locator("#list button").first).to_have_text(re.compile("^ka"))
    done(page, 5)
    page.locator("#compare").focus()
    page.keyboard.press("Tab")
    expect(focused(page)).to_have_text(names(page)[0])
    first = focused(page).bounding_box()
    page.keyboard.press("ArrowDown")
    below = focused(page).bounding_box()
    assert first is not None
    assert below is not None
    assert below["x"] == first["x"]
    assert below["y"] > first["y"]
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowRight")
    expect(focused(page)).to_have_text(names(page)[1])
    page.keyboard.press("End")
    expect(focused(page)).to_have_text(names(page)[-1])
    page.keyboard.press("Home")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    page.keyboard.press("Enter")
    expect(page.locator("#score tbody tr")).to_have_count(len(names(page)[0]) + 1)
    page.keyboard.press("Escape")
    expect(page.locator("#score tbody tr")).to_have_count(0)
    expect(focused(page)).to_have_text(names(page)[0])


@pytest.mark.parametrize("width", [360, 820])
def test_a_narrow_screen_is_never_scrolled_sideways(open_page: Open, width: int) -> None:
    page = open_page("#seed=42&n=30", viewport={"width": width, "height": 740})
    assert_no_sideways_scroll(page)
    name = page.locator("#list button").nth(2)
    name.click()
    expect(page.locator("#score tbody tr").first).to_be_in_viewport()
    assert_no_sideways_scroll(page)
    page.get_by_role("button", name="Close").click()
    expect(name).to_be_focused()
    page.get_by_role("button", name="Compare models").click()
    expect(page.locator("#comparison-status")).to_contain_text("by 12 models")
    page.get_by_text("Pictures").click()
    expect(page.locator("#plots img")).to_have_count(6)
    page.get_by_text("More settings").click()
    assert_no_sideways_scroll(page)


READ = ("h1", "header p", "a:not(.skip)", "#list button", "#status", ".hint", ".legend", ".primary")


def test_light_and_dark_follow_the_reader_and_can_be_read(open_page: Open) -> None:
    seen = set()
    for scheme in ("light", "dark"):
        page = open_page("#seed=42&n=5", color_scheme=scheme)
        page.locator("#list button").first.click()
        expect(page.locator("#score tbody tr").first).to_be_visible()
        for selector in (
            "h1",
            "header p",
            "#list button",
            "#status",
            ".hint",
            ".legend",
            ".primary",
        ):
            assert contrast(page, selector) >= 4.5, (scheme, selector)
        seen.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert len(seen) == 2


def test_names_do_not_move_for_readers_who_want_less_motion(open_page: Open) -> None:
    for motion, animation in (("no-preference", "appear"), ("reduce", "none")):
        page = open_page("#seed=42&n=5", reduced_motion=motion)
        item = page.locator("#list li").first
        assert item.evaluate("node => getComputedStyle(node).animationName") == animation


def contrast(page: Page, selector: str) -> float:
    """WCAG's contrast ratio of the first such element's text with what is behind it."""
    colours = page.locator(selector).first.evaluate(
        """node => {
            const colour = getComputedStyle(node).color;
            let behind = node;
            while (getComputedStyle(behind).backgroundColor === "rgba(0, 0, 0, 0)")
                behind = behind.parentElement;
            return [colour, getComputedStyle(behind).backgroundColor];
        }"""
    )
    light, dark = sorted((luminance(colour) for colour in colours), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    """WCAG's relative luminance of "rgb(r, g, b)"."""
    linear = []
    for part in re.findall(r"\d+", colour)[:3]:
        share = int(part) / 255
        linear.append(share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4)
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


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

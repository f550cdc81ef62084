"""The playground is for every reader: keyboard, narrow screens, light and dark, less motion."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.service.playground.conftest import Open, assert_no_sideways_scroll, done, names


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

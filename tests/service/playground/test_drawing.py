"""The playground draws, scores and compares as the service does."""

import re
from pathlib import Path

import httpx
from playwright.sync_api import expect

from tests.service.playground.conftest import Open, done, generate, names, rows


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
    share = round(scored["percentile"]["like_length"])
    stands = f"ore name-like than {share} % of held-out names of like length"
    expect(page.locator("#score .standing")).to_have_text(f"M{stands}")
    expect(page.locator("#score-status")).to_contain_text(f"by gru-ngram, m{stands}, ")


def test_only_none_and_all_are_told_as_0_and_100_percent(open_page: Open) -> None:
    page = open_page("#seed=42&n=5")
    shares = {0: "0 %", 0.1: "1 %", 0.6: "1 %", 49.6: "50 %", 99.9: "99 %", 100: "100 %"}
    for like_length, said in shares.items():
        drawn = page.evaluate(
            """async (like_length) => {
                const { describeScore, drawScore } = await import("/static/surprise.js");
                const percentile = { overall: 50, like_length };
                const numbers = { nll: 1, nll_per_char: 1, perplexity: 1, characters: [] };
                const result = { word: "a", in_training: null, percentile, ...numbers };
                const model = { id: "gru", kind: "lines" };
                const parts = drawScore(result, model).map((part) => part.textContent);
                return [describeScore(result, model), ...parts];
            }""",
            like_length,
        )
        assert sum(f"ore name-like than {said} of held-out names" in text for text in drawn) == 2


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


def test_offensive_words_are_left_out_unless_the_box_is_cleared_and_the_link_says_which(
    open_page: Open, client: httpx.Client
) -> None:
    page = open_page()
    box = page.get_by_label("Leave out offensive words")
    expect(box).to_be_checked()
    fields = {"Seed": "7", "Begins_with": "dick", "Longest": "5"}
    query = {"n": 10, "seed": "7", "prefix": "dick", "max_length": 5}
    safe, unsafe = (
        client.get("/generate", params=query | {"safe": value}).json()["names"]
        for value in ("true", "false")
    )
    assert "dick" in unsafe
    assert generate(page, 10, **fields) == safe
    assert "dick" not in safe
    box.uncheck()
    page.get_by_role("button", name="Generate").click()
    expect(page.get_by_role("button", name="dick", exact=True).first).to_be_visible()
    done(page, 10)
    assert names(page) == unsafe
    link = page.evaluate("location.hash")
    assert "safe=false" in link
    assert "safe_list" not in link
    expect(open_page(link).get_by_label("Leave out offensive words")).not_to_be_checked()
    # A link that does not say is that of the service's own default.
    expect(open_page("#seed=42&n=5").get_by_label("Leave out")).not_to_be_checked()


def test_a_link_names_the_list_and_warns_where_it_is_another(open_page: Open) -> None:
    page = open_page()
    link = page.evaluate("location.hash")
    assert re.search("safe=true.*safe_list=[0-9a-f]{16}", link)
    replayed = open_page(link)
    expect(replayed.get_by_label("Leave out offensive words")).to_be_checked()
    expect(replayed.locator("#changed")).to_be_hidden()
    changed = open_page(re.sub("safe_list=....", "safe_list=none", link))
    expect(changed.locator("#changed")).to_contain_text("list of offensive words has changed")


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
    expect(page.locator("#score-status")).to_contain_text("nats per character by korean-gpt.")
    expect(page.locator("#score .standing")).to_have_count(0)
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

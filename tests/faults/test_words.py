"""A million words of every kind, sent everywhere that takes one: scored, or refused in one shape.

Nothing is answered by a 5xx; a word is scored exactly where it is in the model's alphabet and no
longer than it can hold; two spellings of a word that NFC makes one are answered alike.
"""

import json
import random
import re
import time
import unicodedata
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.faults.asking import Asker
from tests.faults.report import Report
from tests.faults.scale import scaled
from tests.faults.words import CATEGORIES, COMPOSED, LATIN, composed, draw, hangul, surrogates
from tests.service.conftest import Service, serving

WORDS = 1_000_000
BATCHES = (1, 2, 30, 300, 600, 1000)
BODY_BYTES = 120_000
"""Of a batch, below the largest body that is read."""
ALONE = 10
"""Words that are sent alone, to other places, for each batch."""
EXAMPLES = 1_000
SERVED = {"MODELS": "bigram,gru,korean-gpt", "DEFAULT_MODEL": "bigram"}
MODELS = SERVED["MODELS"].split(",")
KOREAN = "korean-gpt"
SHARES = (5, 4, 1)
"""Of the models in the batches: a word costs each ten times the one before."""
CONDITIONS = ("contains", "suffix", "pattern", "exclude")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with serving(tmp_path_factory.mktemp("words") / "log", **SERVED) as running:
        yield running


@pytest.fixture
def asker(service: Service) -> Iterator[Asker]:
    made = Asker(service.port)
    yield made
    made.close()
    assert service.client.get("/readyz").status_code == 200


def percent(word: str) -> str:
    """In a URL; lone surrogates as the bytes that no UTF-8 has."""
    return quote(word.encode("utf-8", "surrogatepass"), safe="")


def body(value: Any, escaped: bool) -> bytes:
    """As JSON; lone surrogates as escapes, or as such bytes."""
    return json.dumps(value, ensure_ascii=escaped).encode("utf-8", "surrogatepass")


class Alphabet:
    """What a model can score, by what it says of itself."""

    def __init__(self, asker: Asker, model: str) -> None:
        _, told = asker.get(f"/models/{model}")
        self._characters = set(told["vocabulary"]["characters"])
        self._longest = told["max_length"]

    def has(self, word: str) -> bool:
        """Whether a word is scored."""
        read = unicodedata.normalize("NFC", word)
        return 0 < len(read) <= self._longest and self._characters.issuperset(read)


# --------------------------------------------------------------- batches


def batch(dice: random.Random, escaped: bool) -> list[str]:
    """Words for one body; those with two spellings in both, one after the other."""
    words: list[str] = []
    room = BODY_BYTES
    size = dice.choice(BATCHES)
    while len(words) < size:
        # A lone surrogate is no character, but as an escape it is JSON.
        word = surrogates(dice) if escaped and dice.random() < 0.03 else draw(dice)
        both = [word]
        if 0 < len(word) < 100 and len(words) < size - 1:
            spelled = unicodedata.normalize("NFC", word), unicodedata.normalize("NFD", word)
            both = list(spelled) if spelled[0] != spelled[1] else both
        room -= sum(len(body(each, escaped)) + 2 for each in both)
        if room < 0:
            break
        words += both
    return words or ["a"]


def alike(one: Any, other: Any) -> bool:
    """Whether two answers of a batch are the same but for the place and the spelling of words."""
    if "error" not in one or "error" not in other:
        return bool(one == other)
    messages = (re.sub(r"has \d+ char", "", each["error"]["message"]) for each in (one, other))
    return len(set(messages)) == 1  # what is far too long is counted as it is spelled


def check_batch(asker: Asker, model: str, alphabet: Alphabet, words: list[str], sent: bytes) -> int:
    """Score words of text; how many of them have been."""
    status, answer = asker.post("/score", sent)
    if len(words) == 1 and not alphabet.has(words[0]):
        assert status == 422, ascii(words)
        return 0
    assert status == 200, (answer, model)
    results = answer["results"]
    assert len(results) == len(words)
    for word, result in zip(words, results, strict=True):
        assert ("nll" in result) == alphabet.has(word), (ascii(word), result)
    for i in range(len(words) - 1):
        if unicodedata.normalize("NFC", words[i + 1]) == words[i]:
            assert alike(results[i], results[i + 1]), ascii(words[i])
    return sum("nll" in result for result in results)


# --------------------------------------------------------------- words alone


def longest(word: str, model: str) -> str:
    """So that running text, which never ends, has but one character after a prefix."""
    length = len(unicodedata.normalize("NFC", word)) + 1
    return f"&max_length={min(length, 127)}" if model == KOREAN else ""


def targets(word: str, model: str) -> Iterator[str]:
    """Wherever a word can stand in a URL."""
    given, short = percent(word), longest(word, model)
    yield f"/score?model={model}&word={given}"
    yield f"/next?model={model}&top=3&prefix={given}"
    yield f"/generate?model={model}&n=1&seed=1&prefix={given}{short}"
    yield f"/names/{given}?model={model}{'&max_length=2' if short else ''}"
    # What is rare is looked for in tens of thousands of draws, but by bigrams.
    for condition in CONDITIONS:
        yield f"/generate?model=bigram&n=1&seed=1&{condition}={given}"
    yield f"/generate?model=bigram&n=1&seed={given}"
    yield f"/models/{given}"


def bodies(word: str, model: str, escaped: bool) -> Iterator[tuple[str, bytes]]:
    """Wherever it can stand in a body."""
    asked = {"model": model, "max_tokens": 1, "seed": 1}
    yield "/v1/completions", body(asked | {"prompt": word}, escaped)
    yield "/v1/completions", body(asked | {"prompt": ["a", word]}, escaped)
    yield "/v1/completions", body(asked | {"prompt": "a", "stop": word}, escaped)
    drawn = {"model": model, "n": 1, "seed": 1, "prefix": word}
    if model != KOREAN:
        yield "/generate", body(drawn, escaped)
    yield "/score", body({"model": model, "words": [word]}, escaped)
    yield "/score", body({"model": word, "words": ["a"]}, escaped)


def ask_alone(asker: Asker, dice: random.Random, word: str) -> tuple[int, Any]:
    """Send a word to one of those places."""
    model = dice.choice(MODELS)
    if dice.random() < 0.75:
        return asker.get(dice.choice(list(targets(word, model))))
    return asker.post(*dice.choice(list(bodies(word, model, dice.random() < 0.5))))


def told(answer: Any) -> Any:
    """An answer without what is of that answer alone, or of how the word was spelled."""
    own = ("request_id", "id", "created", "usage", "seed", "key")
    return {key: value for key, value in answer.items() if key not in own}


def test_a_million_words_are_scored_or_refused_and_none_is_a_server_error(
    asker: Asker, report: Report
) -> None:
    dice, started = random.Random(4), time.monotonic()
    alphabets = {model: Alphabet(asker, model) for model in MODELS}
    sent = scored = 0
    while sent < scaled(WORDS):
        model, escaped = dice.choices(MODELS, SHARES)[0], dice.random() < 0.5
        words = batch(dice, escaped)
        scored += check_batch(
            asker, model, alphabets[model], words, body({"words": words, "model": model}, escaped)
        )
        for _ in range(ALONE):
            ask_alone(asker, dice, draw(dice))
        sent += len(words) + ALONE
    seconds = time.monotonic() - started
    report.add_all(
        {
            "words": sent,
            "scored": scored,
            "statuses": dict(asker.statuses),
            "slowest_s": round(asker.slowest_s, 2),
            "seconds": round(seconds, 1),
            "words_per_s": round(sent / seconds),
        }
    )


def test_lone_surrogates_are_refused_wherever_they_come(asker: Asker, report: Report) -> None:
    dice = random.Random(5)
    for _ in range(scaled(1_000)):
        word, model = surrogates(dice), dice.choice(MODELS)
        for target in targets(word, model):
            assert asker.get(target)[0] == 400, target
        for escaped in (True, False):
            for target, sent in bodies(word, model, escaped):
                # As an escape it is JSON, but no text; as bytes it is not UTF-8.
                assert asker.post(target, sent)[0] == (422 if escaped else 400), sent
            words = [*(draw(dice)[:50] for _ in range(9)), word]
            sent = body({"words": words, "model": model}, escaped)
            status, answer = asker.post("/score", sent)
            assert status == (200 if escaped else 400), sent
            if escaped:
                assert "error" in answer["results"][-1], sent
    report.add_all({"statuses": dict(asker.statuses)})


def test_two_spellings_of_a_word_are_answered_alike_everywhere(
    asker: Asker, report: Report
) -> None:
    dice = random.Random(6)
    for _ in range(scaled(500)):
        word, model = dice.choice((composed, hangul))(dice)[:30], dice.choice(MODELS)
        other = unicodedata.normalize("NFD", word)
        escaped = dice.random() < 0.5
        for target, same in zip(targets(word, model), targets(other, model), strict=True):
            if target.startswith("/models/"):
                continue  # an id is no text to be read
            (status, answer), (again, answer_again) = asker.get(target), asker.get(same)
            assert (status, told(answer)) == (again, told(answer_again)), target
        for (path, sent), (_, same) in zip(
            bodies(word, model, escaped), bodies(other, model, escaped), strict=True
        ):
            (status, answer), (again, answer_again) = asker.post(path, sent), asker.post(path, same)
            assert (status, told(answer)) == (again, told(answer_again)), sent
    report.add_all({"statuses": dict(asker.statuses)})


# --------------------------------------------------------------- hypothesis

categories = st.sampled_from(sorted(CATEGORIES))
words = st.one_of(
    categories.flatmap(lambda category: st.text(st.characters(categories=[category]), max_size=70)),
    st.text(st.characters(), max_size=70),
    st.text(st.sampled_from([*LATIN[:3], *COMPOSED[:50], "\u0301", "\u200d", "?", "*", ","])),
    st.builds(str.__mul__, st.characters(), st.sampled_from([63, 64, 65, 127, 128, 257, 1001])),
)


@settings(max_examples=scaled(EXAMPLES, 20))
@given(word=words, model=st.sampled_from(MODELS), escaped=st.booleans())
@example(word="\ud800", model="gru", escaped=False)
@example(word="e\u0301" * 300, model="korean-gpt", escaped=True)
def test_no_word_is_answered_by_a_server_error_anywhere(
    service: Service, word: str, model: str, escaped: bool
) -> None:
    asker = Asker(service.port)
    for target in targets(word, model):
        asker.get(target)
    for target, sent in bodies(word, model, escaped):
        asker.post(target, sent)
    asker.close()

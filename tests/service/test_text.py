"""A model of running text beside one of names, on a real server."""

import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import torch

from app.schemas import GenerateAnswer, ModelAnswer
from app.score_schemas import ScoreAnswer
from models.checkpoint import Checkpoint, Metadata, save_checkpoint
from models.config import ModelConfig
from models.registry import build_model
from models.vocabulary import Vocabulary
from tests.service.conftest import assert_problem, serving

TEXT = "나는 학교에 간다.\n너도 가자!\n"
ALPHABET = "".join(sorted(set(TEXT)))


def save(folder: Path, kind: str, alphabet: str) -> None:
    """A checkpoint of a tiny random Transformer of block_size 130."""
    vocabulary = Vocabulary.of([alphabet], ends=kind == "lines")
    config = ModelConfig(block_size=130, vocab_size=len(vocabulary), n_layer=1, n_head=2, n_embd=8)
    with torch.random.fork_rng():
        torch.manual_seed(5)
        model = build_model("transformer", config)
    metadata = Metadata(corpus={"name": "tiny.txt", "kind": kind})
    names = frozenset({"ab"} if kind == "lines" else ())
    checkpoint = Checkpoint("transformer", model, vocabulary, metadata, names)
    save_checkpoint(folder, checkpoint, [alphabet[:2]])


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Of a service with the models `text`, which is the default, and `names`."""
    folder = tmp_path_factory.mktemp("text")
    save(folder / "models" / "text", "text", TEXT)
    save(folder / "models" / "names", "lines", "abc")
    settings = {"CHECKPOINTS": folder / "models", "DEFAULT_MODEL": "text"}
    with serving(folder / "log", **settings) as running:
        yield running.client


def generate(client: httpx.Client, **parameters: object) -> dict[str, Any]:
    response = client.get("/generate", params={k: str(v) for k, v in parameters.items()})
    assert response.status_code == 200, response.text
    GenerateAnswer.model_validate_json(response.content, strict=True, extra="forbid")
    answer: dict[str, Any] = response.json()
    return answer


def test_the_kind_of_each_model_is_told(client: httpx.Client) -> None:
    for model, kind, longest, default in [("text", "text", 129, 100), ("names", "lines", 64, 64)]:
        response = client.get(f"/models/{model}")
        ModelAnswer.model_validate_json(response.content, strict=True, extra="forbid")
        answer = response.json()
        assert answer["kind"] == kind
        assert answer["max_length"] == longest
        assert answer["defaults"]["max_length"] == default
    text = client.get("/models/text").json()["vocabulary"]
    assert text == {"size": len(ALPHABET) + 1, "characters": ALPHABET}


def test_texts_are_100_characters_unless_told_otherwise(client: httpx.Client) -> None:
    answer = generate(client, seed=42)
    assert [len(text) for text in answer["names"]] == [100] * 10
    assert answer["max_length"] == 100
    assert "\n" in "".join(answer["names"])
    longest = generate(client, seed=42, max_length=129)
    assert [text[:100] for text in longest["names"]] == answer["names"]


def test_twenty_texts_are_the_beginning_of_a_hundred_and_pages_join(client: httpx.Client) -> None:
    given = {"seed": "text", "max_length": 12, "scores": "true"}
    hundred = generate(client, n=100, **given)
    assert generate(client, n=20, **given)["names"] == hundred["names"][:20]
    page = generate(client, n=30, offset=20, **given)
    assert page["names"] == hundred["names"][20:50]
    assert page["next_offset"] == 50
    assert page["acceptance_rate"] == 1.0
    assert not page["exhausted"]


def test_a_prompt_begins_every_text_whatever_its_spelling(client: httpx.Client) -> None:
    given = {"seed": 1, "n": 5, "max_length": 20}
    composed = generate(client, prefix="나는 학교에\n", **given)
    assert all(text.startswith("나는 학교에\n") for text in composed["names"])
    decomposed = unicodedata.normalize("NFD", "나는 학교에\n")
    assert generate(client, prefix=decomposed, **given) == composed
    assert composed["prefix"] == "나는 학교에\n"
    assert generate(client, prefix="", **given) == generate(client, **given)


def test_scores_of_texts_are_those_that_score_gives(client: httpx.Client) -> None:
    drawn = generate(client, seed=9, n=40, max_length=30, temperature=1.3, scores="true")["names"]
    response = client.post("/score", json={"words": [text["name"] for text in drawn]})
    ScoreAnswer.model_validate_json(response.content, strict=True, extra="forbid")
    results = response.json()["results"]
    assert [result["nll"] for result in results] == [text["nll"] for text in drawn]
    for result in results:
        assert "".join(c["character"] for c in result["characters"]) == result["word"]
        assert len(result["characters"]) == len(result["word"]) == 30
        assert result["nll_per_char"] == pytest.approx(result["nll"] / 30)
        assert result["in_training"] is None
        assert result["percentile"] is None


def test_get_and_post_score_a_text_with_newlines_alike(client: httpx.Client) -> None:
    word = "간다.\n너도"
    got = client.get("/score", params={"word": word})
    assert got.json()["results"][0]["word"] == word
    assert client.post("/score", json={"words": [word]}).json() == got.json()


def test_names_beside_it_end_and_know_their_training(client: httpx.Client) -> None:
    answer = client.get("/score", params={"word": ["ab", "ba"], "model": "names"}).json()
    assert [result["in_training"] for result in answer["results"]] == [True, False]
    assert [len(result["characters"]) for result in answer["results"]] == [3, 3]
    assert len({len(name) for name in generate(client, model="names", n=50)["names"]}) > 1


@pytest.mark.parametrize(
    ("parameters", "parameter", "message"),
    [
        ({"prefix": "가" * 101}, "prefix", "has 101 characters; allowed: 0 to 100 (max_length)"),
        ({"prefix": "간다", "max_length": 1}, "prefix", "allowed: 0 to 1 (max_length)"),
        ({"prefix": "나는 집에"}, "prefix", "position 3 (U+C9D1)"),
        ({"prefix": "나는 emma"}, "prefix", "position 3 (U+0065)"),
        ({"prefix": "간다\r\n"}, "prefix", "position 2 (U+000D)"),
        ({"prefix": "간다\0"}, "prefix", "NUL"),
        ({"max_length": 130}, "max_length", "allowed: 1 to 129"),
        ({"max_length": 1001}, "max_length", "allowed: 1 to 1000"),
        ({"max_length": 0}, "max_length", "allowed: 1 to 1000"),
        ({"min_length": 101}, "min_length", "allowed: 1 to 100 (max_length)"),
        ({"min_length": 5, "max_length": 4}, "min_length", "allowed: 1 to 4 (max_length)"),
        ({"model": "names", "max_length": 500}, "max_length", "allowed: 1 to 64"),
        ({"model": "names", "prefix": "a\n"}, "prefix", "position 1 (U+000A)"),
    ],
    ids=str,
)
def test_what_cannot_be_generated_is_refused_by_name(
    client: httpx.Client, parameters: dict[str, str], parameter: str, message: str
) -> None:
    problem = assert_problem(client.get("/generate", params=parameters), 422, parameter)
    assert message in problem["detail"]
    assert "\n" not in problem["detail"]


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("", "has 0 characters; allowed: 1 to 129"),
        ("가" * 130, "has 130 characters; allowed: 1 to 129"),
        ("가자\t", "position 2 (U+0009)"),
    ],
    ids=["empty", "long", "tab"],
)
def test_what_cannot_be_scored_is_refused_by_name(
    client: httpx.Client, word: str, message: str
) -> None:
    for response, parameter in [
        (client.get("/score", params={"word": word}), "word[0]"),
        (client.post("/score", json={"words": [word]}), "words[0]"),
    ]:
        assert message in assert_problem(response, 422, parameter)["detail"]

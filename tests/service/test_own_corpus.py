"""From a corpus of one's own, in any script, to names over HTTP."""

import math
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.service.conftest import assert_problem, serving
from training.bundle import bundle
from training.corpus import read_corpus, split_corpus
from training.recipes import Descent, Recipe

_LINES = """\
Zoë|Chloé|Renée|François|Jean Luc|Anne-Marie|D’Angelo|O'Brien|O’Neil|Siân|Ångström|Øyvind
Þóra|Æsa|Łukasz|Żaneta|Šárka|Ðorđe|İpek|Ayşe|Nuño|João|Lê Thị Hoa|Nguyễn Văn An|Ōtomo|St. John
Ольга|Фёдор|Ксения|Йорданка|Ганна|Ελένη|Γιώργος|Σοφία|Άννα|Անահիտ|ნინო|გიორგი|שרה|נֹעַם|לֵאָה
محمد|فاطمة|علی‌رضا|ञान|प्रिया|क्षितिज|தமிழ்|สมชาย|ศิริพร
김민준|이서연|박지우|각|山田 太郎|佐藤花子|さくら|ヴィクトル|王小明
𐐔𐐇𐐝𐐀|ꦱꦸꦏ|ⴰⵎⵉⵏⴰ|Mc Donald|van der Berg|De la Cruz"""
NAMES = _LINES.replace("\n", "|").split("|")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[httpx.Client, Path]]:
    """A client of a service of one tiny GRU, fitted on half of NAMES in NFD; its checkpoint."""
    folder = tmp_path_factory.mktemp("own")
    spelled = [unicodedata.normalize("NFD" if i % 2 else "NFC", n) for i, n in enumerate(NAMES)]
    data = "\ufeff" + "\r\n".join(spelled)
    (folder / "names.txt").write_bytes(data.encode())
    recipe = Recipe(
        "gru", Descent(steps=40, batch_size=16, warmup_steps=4, eval_every=20), n_embd=8, n_embd2=8
    )
    corpus = read_corpus(folder / "names.txt")
    out = folder / "models" / "mine"
    bundled = bundle("gru", recipe, corpus, out, splits=["clean"], seed=1)
    assert bundled.finished
    settings = {"CHECKPOINTS": folder / "models", "DEFAULT_MODEL": "mine"}
    with serving(folder / "log", **settings) as running:
        yield running.client, out


def test_the_alphabet_is_the_corpuss_in_nfc(served: tuple[httpx.Client, Path]) -> None:
    client, _ = served
    answer = client.get("/models/mine").json()
    alphabet = sorted(set("".join(unicodedata.normalize("NFC", name) for name in NAMES)))
    assert answer["vocabulary"]["characters"] == "".join(alphabet)
    assert math.isfinite(answer["evaluation"]["clean"]["test"])


def test_names_are_generated_in_its_alphabet(served: tuple[httpx.Client, Path]) -> None:
    client, _ = served
    parameters: dict[str, str | int] = {"n": 50, "seed": "Zoë"}
    answer = client.get("/generate", params=parameters).json()
    assert len(answer["names"]) == 50
    known = set("".join(unicodedata.normalize("NFC", name) for name in NAMES))
    assert set("".join(answer["names"])) <= known
    again = client.get("/generate", params=parameters).json()
    assert again["names"] == answer["names"]


def test_held_out_names_are_scored_however_they_are_spelled(
    served: tuple[httpx.Client, Path],
) -> None:
    client, out = served
    lines = [unicodedata.normalize("NFC", name) for name in NAMES]
    split = split_corpus(lines, "clean")
    trained_on = (out / "training_names.txt").read_text(encoding="utf-8").split("\n")
    assert not set(split.test) & set(trained_on)
    nlls = {}
    for form in ("NFC", "NFD"):
        words = [unicodedata.normalize(form, word) for word in split.test]  # type: ignore[arg-type]
        response = client.get("/score", params={"word": words})
        assert response.status_code == 200, response.text
        nlls[form] = [result["nll"] for result in response.json()["results"]]
    assert nlls["NFC"] == nlls["NFD"]
    # What training reported, from the very names.
    mean = sum(nlls["NFC"]) / sum(len(word) + 1 for word in split.test)
    reported = client.get("/models/mine").json()["evaluation"]["clean"]["test"]
    assert mean == pytest.approx(reported, abs=1e-6)


def test_every_name_of_the_corpus_can_be_scored(served: tuple[httpx.Client, Path]) -> None:
    client, _ = served
    response = client.post("/score", json={"words": NAMES})
    assert response.status_code == 200, response.text
    assert all(0 < result["nll"] < 1000 for result in response.json()["results"])


def test_a_character_that_no_name_had_is_named(served: tuple[httpx.Client, Path]) -> None:
    client, _ = served
    response = client.get("/score", params={"word": "Zoë★"})
    assert "position 3 (U+2605)" in assert_problem(response, 422, "word[0]")["detail"]

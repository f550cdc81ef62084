"""GET /generate on a real server: the promise, as a user would check it."""

from typing import Any

import httpx
import pytest

from app.schemas import GenerateAnswer
from tests.exact import bundled_ids
from tests.service.conftest import PATIENCE_S, Serve

MODELS = bundled_ids("lines")

STRANGE_SEEDS = [
    "emma",
    "5.0",
    "1_000",
    "0x10",
    "a b",
    "seed & seed = 100%",
    "안녕",
    "e\u0301",  # not in NFC, to be echoed as it came
    "😀",
    "x" * 256,
]
LARGE_SEEDS = [str(2**53), str(2**63), str(2**64 - 1)]


def generate(client: httpx.Client, **parameters: object) -> dict[str, Any]:
    """The answer, checked against the documented model, with no field more or less."""
    query = {key: str(value) for key, value in parameters.items()}
    response = client.get("/generate", params=query)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/json"
    GenerateAnswer.model_validate_json(response.content, strict=True, extra="forbid")
    answer: dict[str, Any] = response.json()
    return answer


@pytest.fixture(params=MODELS)
def model(request: pytest.FixtureRequest) -> str:
    model_id: str = request.param
    return model_id


def test_without_parameters_the_default_model_gives_ten_names(client: httpx.Client) -> None:
    answer = generate(client)
    assert len(answer["names"]) == 10
    assert answer["model"] == client.get("/models").json()["default"] == "gru-ngram"


def test_parameters_are_echoed_as_applied(client: httpx.Client, model: str) -> None:
    given = {
        "n": 3,
        "seed": 42,
        "offset": 7,
        "model": model,
        "temperature": 0.5,
        "top_k": 5,
        "top_p": 0.75,
        "min_p": 0.125,
        "prefix": "ma",
        "min_length": 3,
        "max_length": 9,
        "suffix": "a",
        "contains": "r",
        "pattern": "m*a",
        "exclude": "x,zz",
    }
    answer = generate(client, **given)
    assert {key: answer[key] for key in given} == given


def test_defaults_are_echoed_as_the_model_states_them(client: httpx.Client, model: str) -> None:
    answer = generate(client, model=model, seed=1)  # without, it may be cut from the pool
    defaults = client.get(f"/models/{model}").json()["defaults"]
    del defaults["scores"]  # seen in the shape of `names`
    assert {key: answer[key] for key in defaults} == defaults


def test_every_bound_of_every_number_is_itself_allowed(client: httpx.Client) -> None:
    for parameter, value in [
        ("n", 1),
        ("n", 1000),
        ("offset", 0),
        ("offset", 9 * 10**15),
        ("temperature", 0),
        ("temperature", 10),
        ("top_k", 1),
        ("top_k", 65536),
        ("top_p", 1),
        ("top_p", "1e-30"),
        ("min_p", 0),
        ("min_p", 1),
        ("min_length", 1),
        ("max_length", 1),
        ("seed", 0),
        ("seed", 2**64 - 1),
    ]:
        answer = generate(client, model="bigram", **{"n": 2, parameter: value})
        assert float(answer[parameter]) == float(value)


def test_same_seed_gives_same_names(client: httpx.Client, model: str) -> None:
    assert generate(client, model=model, seed=42) == generate(client, model=model, seed=42)


def test_other_seeds_give_other_names(client: httpx.Client, model: str) -> None:
    answers = [generate(client, model=model, seed=seed, n=20)["names"] for seed in range(10)]
    assert len({tuple(names) for names in answers}) == 10


def test_twenty_names_are_the_beginning_of_a_hundred(client: httpx.Client, model: str) -> None:
    twenty, hundred = (generate(client, model=model, seed=42, n=n) for n in (20, 100))
    assert hundred["names"][:20] == twenty["names"]
    assert len(set(hundred["names"])) > 50


def test_an_offset_continues_the_stream_in_the_middle(client: httpx.Client, model: str) -> None:
    # Short names are passed over, so that indexes and positions differ.
    given = {"model": model, "seed": 42, "min_length": 6, "scores": "true"}
    whole = generate(client, n=60, **given)["names"]
    assert whole[20]["index"] > 20
    rest = generate(client, n=40, offset=whole[20]["index"], **given)["names"]
    assert rest == whole[20:]


def test_pages_joined_by_next_offset_neither_repeat_nor_skip(
    client: httpx.Client, model: str
) -> None:
    given = {"model": model, "seed": "pages", "max_length": 6, "scores": "true"}
    whole = generate(client, n=60, **given)
    pages, offset = [], 0
    for _ in range(4):
        page = generate(client, n=15, offset=offset, **given)
        pages += page["names"]
        offset = page["next_offset"]
    assert pages == whole["names"]
    assert offset == whole["next_offset"] > 60


def test_an_unseeded_answer_is_replayed_by_its_seed(client: httpx.Client, model: str) -> None:
    drawn = generate(client, model=model, temperature=1.5)
    assert type(drawn["seed"]) is int
    assert generate(client, model=model, temperature=1.5, seed=drawn["seed"]) == drawn


def test_unseeded_answers_differ(client: httpx.Client) -> None:
    assert len({generate(client, n=1, model="bigram")["seed"] for _ in range(20)}) == 20


@pytest.mark.parametrize("seed", STRANGE_SEEDS)
def test_a_text_seed_is_echoed_as_given_and_gives_names_of_its_own(
    client: httpx.Client, seed: str
) -> None:
    answer = generate(client, seed=seed, model="bigram")
    assert answer["seed"] == seed
    assert generate(client, seed=seed, model="bigram") == answer
    assert generate(client, seed=42, model="bigram")["names"] != answer["names"]


def test_digits_of_other_scripts_are_a_text_seed_like_any_other(client: httpx.Client) -> None:
    assert generate(client, seed="٣", model="bigram")["seed"] == "٣"


def test_one_text_in_two_unicode_spellings_is_one_seed(client: httpx.Client) -> None:
    spellings = "caf\u00e9", "cafe\u0301"
    first, second = (generate(client, seed=seed, model="bigram")["names"] for seed in spellings)
    assert first == second


@pytest.mark.parametrize("seed", LARGE_SEEDS)
def test_a_seed_that_javascript_would_round_comes_back_as_a_string_and_replays(
    client: httpx.Client, seed: str
) -> None:
    answer = generate(client, seed=seed, model="bigram")
    assert answer["seed"] == seed
    assert generate(client, seed=answer["seed"], model="bigram") == answer
    neighbour = generate(client, seed=int(seed) - 1, model="bigram")
    assert neighbour["names"] != answer["names"]


def test_the_largest_seed_that_javascript_holds_comes_back_as_an_integer(
    client: httpx.Client,
) -> None:
    assert generate(client, seed=2**53 - 1, model="bigram")["seed"] == 2**53 - 1


def test_spellings_of_one_integer_are_one_seed(client: httpx.Client) -> None:
    plain = generate(client, seed="42", model="bigram")
    for spelling in ("0042", "+42", "42 "):
        assert generate(client, seed=spelling, model="bigram") == plain


def test_temperature_zero_gives_the_likeliest_name_whatever_the_seed(
    client: httpx.Client, model: str
) -> None:
    # Without the bound the bigram's likeliest path would go round for ever.
    given = {"model": model, "temperature": 0, "n": 3, "prefix": "mari"}
    answers = [generate(client, seed=seed, **given)["names"] for seed in (1, 2)]
    assert answers[0] == answers[1]
    assert len(set(answers[0])) <= 1


def test_scores_are_those_that_score_gives(client: httpx.Client, model: str) -> None:
    answer = generate(client, model=model, seed=9, n=40, temperature=1.3, scores="true")
    assert [name["index"] for name in answer["names"]] == list(range(40))
    words = [name["name"] for name in answer["names"]]
    response = client.post("/score", json={"words": words, "model": model})
    assert [name["nll"] for name in answer["names"]] == [
        result["nll"] for result in response.json()["results"]
    ]


def test_scores_do_not_change_the_names(client: httpx.Client, model: str) -> None:
    plain = generate(client, model=model, seed=9)
    scored = generate(client, model=model, seed=9, scores="true")
    assert [name["name"] for name in scored.pop("names")] == plain.pop("names")
    assert scored == plain


def test_a_restarted_server_gives_the_same_answers(client: httpx.Client, serve: Serve) -> None:
    asked = [
        {"model": model, "seed": seed, "n": 50, "scores": "true"}
        for model in MODELS
        for seed in (42, "emma", 2**64 - 1)
    ]
    before = [generate(client, **parameters) for parameters in asked]
    with serve() as restarted:
        assert [generate(restarted.client, **parameters) for parameters in asked] == before


@pytest.mark.slow
def test_two_workers_with_two_threads_give_the_answers_of_one(
    client: httpx.Client, serve: Serve
) -> None:
    asked = [{"model": model, "seed": seed, "n": 50} for model in MODELS for seed in range(10)]
    before = [generate(client, **parameters) for parameters in asked]
    with serve(WORKERS=2, THREADS=2) as other:
        for parameters, answer in zip(asked, before, strict=True):
            # A new connection each time: the kernel spreads them over the workers.
            with httpx.Client(
                base_url=other.client.base_url, timeout=PATIENCE_S, trust_env=False
            ) as fresh:
                assert generate(fresh, **parameters) == answer

"""GET /models and the routes for operators, on a real server."""

import httpx
import pytest

from app.schemas import ModelAnswer, ModelsAnswer, StatusAnswer, VersionAnswer
from models.checkpoint import SAMPLER_VERSION
from tests.exact import bundled, bundled_ids

MODELS = bundled_ids("lines", "text")


def test_the_whole_zoo_is_bundled() -> None:
    lectures = {"bigram", "neural-bigram", "mlp", "bow", "rnn", "gru", "lstm", "cnn", "transformer"}
    assert set(MODELS) == lectures | {"ngram", "mixture", "gru-ngram", "korean-gpt"}


def test_every_bundled_model_is_listed_and_one_is_the_default(
    client: httpx.Client,
) -> None:
    response = client.get("/models")
    assert response.status_code == 200
    ModelsAnswer.model_validate_json(response.content, strict=True, extra="forbid")
    assert response.json()["default"] == "gru-ngram"
    assert [model["id"] for model in response.json()["models"]] == MODELS


@pytest.mark.parametrize("model", MODELS)
def test_one_model_is_described_as_in_the_list(client: httpx.Client, model: str) -> None:
    response = client.get(f"/models/{model}")
    assert response.status_code == 200
    ModelAnswer.model_validate_json(response.content, strict=True, extra="forbid")
    listed = {found["id"]: found for found in client.get("/models").json()["models"]}
    assert response.json() == listed[model]


@pytest.mark.parametrize("model", MODELS)
def test_a_description_is_that_of_the_checkpoint(client: httpx.Client, model: str) -> None:
    checkpoint = bundled(model)
    answer = client.get(f"/models/{model}").json()
    assert answer["architecture"] == checkpoint.architecture
    assert answer["fingerprint"] == checkpoint.fingerprint
    assert answer["parameters"] == checkpoint.model.parameter_count
    assert answer["evaluation"] == checkpoint.metadata.evaluation
    assert answer["kind"] == checkpoint.kind == checkpoint.metadata.corpus["kind"]
    assert answer["vocabulary"] == {
        "size": len(checkpoint.vocabulary),
        "characters": "".join(checkpoint.vocabulary.characters),
    }
    assert set(answer["hyperparameters"]) == set(checkpoint.model.hyperparameters)


@pytest.mark.parametrize("model", MODELS)
def test_every_answer_of_a_model_bears_its_fingerprint(client: httpx.Client, model: str) -> None:
    fingerprint = client.get(f"/models/{model}").json()["fingerprint"]
    character = client.get(f"/models/{model}").json()["vocabulary"]["characters"][-1]
    for path in ("/generate?n=1", f"/score?word={character}"):
        assert client.get(f"{path}&model={model}").json()["fingerprint"] == fingerprint


def test_fingerprints_differ(client: httpx.Client) -> None:
    found = {model["fingerprint"] for model in client.get("/models").json()["models"]}
    assert len(found) == len(MODELS)


@pytest.mark.parametrize(("path", "status"), [("/livez", "alive"), ("/readyz", "ready")])
def test_probes_answer(client: httpx.Client, path: str, status: str) -> None:
    response = client.get(path)
    assert response.status_code == 200
    answer = StatusAnswer.model_validate_json(response.content, strict=True, extra="forbid")
    assert answer.status == status


def test_the_version_tells_what_runs(client: httpx.Client) -> None:
    response = client.get("/version")
    assert response.status_code == 200
    answer = VersionAnswer.model_validate_json(response.content, strict=True, extra="forbid")
    assert answer.sampler_version == SAMPLER_VERSION


def test_the_openapi_page_and_its_document_are_there(client: httpx.Client) -> None:
    assert client.get("/docs").headers["content-type"].startswith("text/html")
    assert set(client.get("/openapi.json").json()["paths"]) == {
        "/generate",
        "/generate/stream",
        "/names/{key}",
        "/compare",
        "/score",
        "/next",
        "/models",
        "/models/{model_id}",
        "/models/{model_id}/plots",
        "/models/{model_id}/plots/{name}.svg",
        "/v1/completions",
        "/v1/models",
        "/v1/models/{model_id}",
        "/livez",
        "/readyz",
        "/metrics",
        "/version",
    }


def test_a_caller_s_request_id_is_kept_and_a_forged_log_line_is_not(client: httpx.Client) -> None:
    kept = client.get("/livez", headers={"X-Request-ID": "a-Z.0_9"})
    assert kept.headers["x-request-id"] == "a-Z.0_9"
    for given in ("", "two words", "x" * 65, "é"):
        answer = client.get("/livez", headers={"X-Request-ID": given.encode()})
        assert answer.headers["x-request-id"] not in ("", given)

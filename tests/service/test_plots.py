"""GET /models/{id}/plots and the pictures themselves, on a real server."""

import hashlib
import shutil
from collections.abc import Iterator

import httpx
import pytest

from app.schemas import PlotsAnswer
from models.checkpoint import replace_plots
from tests.exact import CHECKPOINTS, bundled
from tests.service.conftest import Service, assert_problem, request, serving


def svg(title: str) -> bytes:
    return f'<svg xmlns="http://www.w3.org/2000/svg"><title>{title}</title></svg>\n'.encode()


PLOTS = {"nll": svg("NLL &lt; 3"), "bigrams": svg("Bigrams of 이름"), "learning-rate": svg("x")}


@pytest.fixture(scope="module")
def pictured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service of two models: `bigram` has pictures, `bare` has none."""
    folder = tmp_path_factory.mktemp("pictured")
    for name, plots in (("bigram", PLOTS), ("bare", {})):
        shutil.copytree(CHECKPOINTS / "bigram", folder / "checkpoints" / name)
        replace_plots(folder / "checkpoints" / name, plots)
    settings = {"CHECKPOINTS": folder / "checkpoints", "DEFAULT_MODEL": "bigram"}
    with serving(folder / "log", **settings) as service:
        yield service


@pytest.fixture(scope="module")
def client(pictured: Service) -> httpx.Client:
    return pictured.client


def test_the_list_gives_every_picture_s_name_title_and_place(client: httpx.Client) -> None:
    response = client.get("/models/bigram/plots")
    assert response.status_code == 200
    PlotsAnswer.model_validate_json(response.content, strict=True, extra="forbid")
    assert response.json() == {
        "model": "bigram",
        "fingerprint": bundled("bigram").fingerprint,
        "plots": [
            {"name": name, "title": title, "url": f"/models/bigram/plots/{name}.svg"}
            for name, title in (
                ("bigrams", "Bigrams of 이름"),
                ("learning-rate", "x"),
                ("nll", "NLL < 3"),
            )
        ],
    }


def test_a_model_without_pictures_has_an_empty_list(client: httpx.Client) -> None:
    assert client.get("/models/bare/plots").json()["plots"] == []
    problem = assert_problem(client.get("/models/bare/plots/nll.svg"), 404, "name")
    assert problem["detail"] == "name: no such picture; this model has none"


def test_every_picture_of_the_list_is_served_as_it_is_stored(client: httpx.Client) -> None:
    for plot in client.get("/models/bigram/plots").json()["plots"]:
        response = client.get(plot["url"])
        assert response.status_code == 200
        assert response.content == PLOTS[plot["name"]]
        assert response.headers["content-type"] == "image/svg+xml"
        assert response.headers["etag"] == f'"{hashlib.sha256(response.content).hexdigest()}"'
        assert response.headers["x-request-id"]


def test_a_picture_can_run_no_script_and_is_asked_for_again(client: httpx.Client) -> None:
    etag = client.get("/models/bigram/plots/nll.svg").headers["etag"]
    for given in ({}, {"If-None-Match": etag}):
        headers = client.get("/models/bigram/plots/nll.svg", headers=given).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src" not in policy
        assert "sandbox" in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "public, max-age=0, must-revalidate"


def test_a_caller_who_has_the_picture_is_told_so_and_no_more(client: httpx.Client) -> None:
    url = "/models/bigram/plots/nll.svg"
    etag = client.get(url).headers["etag"]
    for known in (etag, f"W/{etag}", f'"other", {etag}', f'{etag} ,"other"', "*"):
        response = client.get(url, headers={"If-None-Match": known})
        assert (response.status_code, response.content) == (304, b""), known
        assert response.headers["etag"].removeprefix("W/") == etag
    for other in ("", '"other"', etag.strip('"'), etag.upper(), "W/", '"', "*, *"):
        response = client.get(url, headers={"If-None-Match": other})
        assert (response.status_code, response.content) == (200, PLOTS["nll"]), other


@pytest.mark.parametrize(
    "name", ["loss", "NLL", "nll.svg", "..", "%2E%2E", "nll%20", "%EC%9D%B4", "n" * 5000]
)
def test_an_unknown_picture_is_404_and_says_which_there_are(pictured: Service, name: str) -> None:
    response = request(pictured.port, f"/models/bigram/plots/{name}.svg".encode())
    problem = assert_problem(response, 404, "name")
    assert "this model has bigrams, learning-rate, nll" in problem["detail"]


@pytest.mark.parametrize("name", ["%00", "nll%0A", "%FF"])
def test_a_picture_s_name_that_is_no_text_is_400(pictured: Service, name: str) -> None:
    assert_problem(request(pictured.port, f"/models/bigram/plots/{name}.svg".encode()), 400)


@pytest.mark.parametrize("path", ["/models/no/plots", "/models/no/plots/nll.svg"])
def test_an_unknown_model_is_404_and_says_which_there_are(client: httpx.Client, path: str) -> None:
    problem = assert_problem(client.get(path), 404, "model_id")
    assert "served here: bare, bigram" in problem["detail"]


@pytest.mark.parametrize(
    "path",
    ["/plots/", "/plots/nll", "/plots/nll.png", "/plots/.svg", "/plots/a/nll.svg", "/plots.svg"],
)
def test_other_paths_lead_nowhere(client: httpx.Client, path: str) -> None:
    assert_problem(client.get(f"/models/bigram{path}"), 404)


@pytest.mark.parametrize("path", ["/models/bigram/plots", "/models/bigram/plots/nll.svg"])
def test_parameters_and_other_methods_are_refused(client: httpx.Client, path: str) -> None:
    assert_problem(client.get(path, params={"size": "large"}), 422, "size")
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        response = client.request(method, path)
        assert_problem(response, 405)
        assert response.headers["allow"] == "GET, HEAD"


def test_a_model_s_description_is_what_it_was(client: httpx.Client) -> None:
    assert "plots" not in client.get("/models/bigram").json()


def test_the_picture_s_type_stands_in_the_description_of_the_service(client: httpx.Client) -> None:
    operation = client.get("/openapi.json").json()["paths"]["/models/{model_id}/plots/{name}.svg"]
    responses = operation["get"]["responses"]
    assert list(responses["200"]["content"]) == ["image/svg+xml"]
    assert "304" in responses
    assert "application/problem+json" in responses["404"]["content"]

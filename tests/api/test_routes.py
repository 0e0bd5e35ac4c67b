"""Health, models, docs and the schema."""

import os
import shutil
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.fixtures.models import copy_models
from tests.process import ROOT, SAMPLES, ServerProcess


def test_health(client: httpx.Client) -> None:
    assert client.get("/health/live").json() == {"live": True}
    ready = client.get("/health/ready")
    assert ready.status_code == 200
    assert ready.json()["ready"] is True
    assert ready.json()["models"]["cifar10/1"] == "cpu"


def test_head_is_get_without_a_body(client: httpx.Client) -> None:
    document: dict[str, Any] = client.get("/openapi.json").json()
    paths = [path.format(name="cifar10", version="1") for path, known in document["paths"].items() if "get" in known]
    assert len(paths) >= 15
    for path in (*paths, "/", "/docs", "/openapi.json", "/metrics", "/static-offline-docs/favicon.png", "/nowhere"):
        head, got = client.head(path), client.get(path)
        assert (head.status_code, head.content) == (got.status_code, b""), path
        assert head.headers["content-type"] == got.headers["content-type"], path
    assert client.head("/predict").status_code == 405
    assert client.put("/models").headers["allow"] == "GET, HEAD"


def test_the_root_leads_on(client: httpx.Client) -> None:
    page = client.get("/", headers={"Accept": "text/html,*/*;q=0.8"})
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert 'data-base="./"' in page.text
    links = client.get("/").json()["links"]
    assert client.get(client.base_url.join(links["models"])).status_code == 200
    assert client.post(client.base_url.join(links["predict"]), content=b"?").status_code >= 400


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "text/html; charset=utf-8"),
        ("TEXT/HTML", "text/html; charset=utf-8"),
        ("text/*", "text/html; charset=utf-8"),
        ("*/*", "application/json"),
        ("image/png", "application/json"),
        ("text/htmlx", "application/json"),
        ("text/html;q=0", "application/json"),
        ("text/html;q=much", "application/json"),
        ("text/html;q=0.1, application/json", "application/json"),
    ],
)
def test_the_root_is_a_page_for_those_who_prefer_one(client: httpx.Client, accept: str, kind: str) -> None:
    answer = client.get("/", headers={"Accept": accept})
    assert (answer.status_code, answer.headers["content-type"]) == (200, kind)


def test_without_the_page_the_root_leads_to_the_docs(tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "log", "--page", "false") as process, httpx.Client(base_url=process.url) as http:
        page = http.get("/", headers={"Accept": "text/html"}, follow_redirects=True)
        assert (page.status_code, page.url.path) == (200, "/docs")
        assert http.get("/page/main.js").status_code == 404
        assert http.get("/models/mnist/versions/2/samples/0").status_code == 404
        assert http.get("/models/mnist/versions/2/figures").status_code == 404
        assert "links" in http.get("/").json()


def test_the_page_runs_its_own_scripts_only(client: httpx.Client) -> None:
    policy = client.get("/", headers={"Accept": "text/html"}).headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy


def test_figures_of_a_model_are_those_that_training_made(client: httpx.Client) -> None:
    figures = client.get("/models/mnist/versions/2/figures").json()["figures"]
    assert [figure["name"] for figure in figures][:2] == ["learning_curves", "confusion_matrix"]
    for figure in figures:
        answer = client.get(f"/models/mnist/versions/2/figures/{figure['name']}")
        assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
        assert answer.content == (ROOT / "models/mnist/2/figures" / f"{figure['name']}.png").read_bytes()
    for name in ("kernels", "..%2f..%2fMODEL_CARD.md", "learning_curves.png", "%00"):
        missing = client.get(f"/models/mnist/versions/2/figures/{name}")
        assert (missing.status_code, missing.headers["content-type"]) == (404, "application/problem+json"), name
    assert client.get("/models/mnist/versions/9/figures").status_code == 404


def test_nothing_else_that_lies_in_the_folder_of_figures_is_given_away(tmp_path: Path) -> None:
    models = copy_models(tmp_path / "models", "mnist")
    figures = models / "mnist" / "1" / "figures"
    figures.mkdir()
    (tmp_path / "secret.txt").write_text("a secret")
    (figures / "learning_curves.png").symlink_to(tmp_path / "secret.txt")
    os.mkfifo(figures / "confusion_matrix.png")
    (figures / "class_counts.png").mkdir()
    (figures / "reliability_diagram.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(3 * 1024 * 1024))
    with (
        ServerProcess(tmp_path / "log", "--models-dir", str(models)) as process,
        httpx.Client(base_url=process.url, timeout=30) as http,
    ):
        assert http.get("/models/mnist/versions/1/figures").json() == {"figures": []}
        for name in ("learning_curves", "confusion_matrix", "class_counts", "reliability_diagram"):
            assert http.get(f"/models/mnist/versions/1/figures/{name}").status_code == 404


def test_a_model_directly_in_the_folder_can_be_looked_into(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "models" / "mnist" / "1", tmp_path / "models")
    sample = (SAMPLES / "mnist_7_0.png").read_bytes()
    with (
        ServerProcess(tmp_path / "log", "--models-dir", str(tmp_path / "models")) as process,
        httpx.Client(base_url=process.url, timeout=30) as http,
    ):
        assert http.post("/layers", content=sample).json()["layers"]
        assert len(http.get("/models/mnist/versions/1/figures").json()["figures"]) == 7


def test_samples_are_the_golden_images(client: httpx.Client) -> None:
    [version] = [one for one in client.get("/models/mnist").json()["versions"] if one["version"] == "2"]
    answer = client.get(f"/models/mnist/versions/2/samples/{version['samples'] - 1}")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
    assert client.post("/predict?model=mnist", content=answer.content).status_code == 200
    missing = client.get(f"/models/mnist/versions/2/samples/{version['samples']}")
    assert (missing.status_code, "counted from 0" in missing.json()["detail"]) == (404, True)
    assert client.get("/models/mnist/versions/2/samples/-1").status_code == 422
    assert client.get("/models/mnist/versions/9/samples/0").status_code == 404


def test_models_say_what_they_are(client: httpx.Client) -> None:
    answer = client.get("/models").json()
    assert answer["default_model"] == "cifar10"
    listed = {model["name"]: model for model in answer["models"]}
    assert set(listed) == {"cifar10", "mnist"}
    for name, model in listed.items():
        assert client.get(f"/models/{name}").json() == model
        pinned = ROOT / "models" / name / "default_version"
        newest = model["versions"][-1]["version"]
        assert model["default_version"] == (pinned.read_text().strip() if pinned.exists() else newest)
        for version in model["versions"]:
            assert len(version["labels"]) == 10
            assert version["provider"] == "cpu"
            assert version["test_images"] == 10_000
            assert version["accuracy"] >= (0.72 if name == "cifar10" else 0.991)
            least, most = version["accuracy_interval"]
            assert version["accuracy"] - 0.01 < least < version["accuracy"] < most < version["accuracy"] + 0.01
    assert listed["cifar10"]["versions"][0]["input"]["color_mode"] == "RGB"
    assert listed["mnist"]["versions"][0]["input"]["polarity"] == "light-on-dark"


def test_an_unknown_model_is_404(client: httpx.Client) -> None:
    answer = client.get("/models/resnet")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert "served: cifar10, mnist" in answer.json()["detail"]


def test_an_unknown_path_and_a_wrong_method_are_problems_too(client: httpx.Client) -> None:
    for answer, status in ((client.get("/nowhere"), 404), (client.get("/predict"), 405), (client.put("/models"), 405)):
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == status


def test_the_docs_page_needs_nothing_from_elsewhere(client: httpx.Client) -> None:
    page = client.get("/docs").text
    assets = [part.split('"')[0] for part in page.replace("'", '"').split('"./')[1:]]
    served = [client.get(f"/{asset}") for asset in assets if asset.endswith((".js", ".css", ".png"))]
    assert len(served) >= 3
    assert all(answer.status_code == 200 and answer.content for answer in served)
    assert "//cdn" not in page
    assert "https://" not in page


def test_the_schema_tells_how_to_upload(client: httpx.Client) -> None:
    schema = client.get("/openapi.json").json()
    for path in ("/predict", "/models/{name}/predict", "/models/{name}/versions/{version}/predict"):
        operation = schema["paths"][path]["post"]
        form = operation["requestBody"]["content"]["multipart/form-data"]["schema"]
        assert form["properties"]["file"]["items"] == {"type": "string", "format": "binary"}
        assert set(operation["responses"]) >= {"200", "400", "404", "413", "415", "422", "503", "504"}
    assert {operation["operationId"] for path in schema["paths"].values() for operation in path.values()} >= {
        "predict",
        "predict_with_model",
        "predict_with_version",
        "list_models",
        "get_model",
        "live",
        "ready",
    }

"""The image as hosting platforms start it: SageMaker, Vertex AI, and those that set PORT; also its health check."""

import base64
import json
import shutil
from pathlib import Path

import pytest

from tests.image.test_image import TOOL, Run
from tests.image.test_image import port as port  # noqa: PLC0414  a fixture
from tests.process import ROOT

pytestmark = [
    pytest.mark.skipif(not TOOL, reason="IMAGE_TEST names no command that builds and runs an image"),
    pytest.mark.timeout(1200),
]


def write_compose(folder: Path, inside: int, *lines: str) -> Path:
    """Writes a compose file of one service; the platform chooses the port inside the container."""
    path = folder / "docker-compose.yml"
    path.write_text(
        "\n".join(
            (
                "services:",
                "  convoy:",
                "    image: convoy:cpu",
                "    read_only: true",
                '    tmpfs: ["/tmp:size=64m,mode=1777"]',
                f'    ports: ["${{CONVOY_PORT}}:{inside}"]',
                *(f"    {line}" for line in lines),
                "",
            )
        )
    )
    return path


def test_as_sagemaker_starts_it(port: int, tmp_path: Path, samples: dict[str, list[Path]]) -> None:
    models = tmp_path / "model"
    shutil.copytree(ROOT / "models" / "mnist" / "1", models / "mnist" / "1")
    for path in (tmp_path, *models.rglob("*")):
        path.chmod(0o755)  # the container's user is not the tests'
    compose = write_compose(tmp_path, 8080, "command: serve", f'volumes: ["{models}:/opt/ml/model:ro"]')
    picture = samples["mnist"][14].read_bytes()
    run = Run(compose, port, tmp_path / "log")
    with run.client() as client:
        assert client.get("/ping").status_code == 200
        headers = {"Content-Type": "application/x-image", "X-Amzn-SageMaker-Custom-Attributes": "top_k=1"}
        answer = client.post("/invocations", content=picture, headers=headers)
        assert (answer.json()["model"], answer.json()["predictions"][0]["label"]) == ("mnist", "7")
        line = json.dumps({"b64": base64.b64encode(picture).decode()})
        lines = client.post(
            "/invocations", content=f"{line}\n{line}\n", headers={"Content-Type": "application/jsonlines"}
        )
        assert [json.loads(found)["label"] for found in lines.text.splitlines()] == ["7", "7"]
        assert [model["name"] for model in client.get("/models").json()["models"]] == ["mnist"]
    assert "health=healthy" in run.end()


def test_as_vertex_ai_starts_it(port: int, tmp_path: Path, cat: bytes) -> None:
    route = "/v1/endpoints/12/deployedModels/34"
    variables = {
        "AIP_HTTP_PORT": "8081",
        "AIP_HEALTH_ROUTE": route,
        "AIP_PREDICT_ROUTE": f"{route}:predict",
        "AIP_STORAGE_URI": "",
        "AIP_MODE": "PREDICTION",
    }
    compose = write_compose(tmp_path, 8081, f"environment: {json.dumps(variables)}")
    run = Run(compose, port, tmp_path / "log")
    with run.client() as client:
        assert client.get(route).status_code == 200
        document = {"instances": [{"content": base64.b64encode(cat).decode()}], "parameters": {"maxPredictions": 1}}
        answer = client.post(f"{route}:predict", json=document).json()
        assert answer["predictions"][0]["displayNames"] == ["cat"]
    assert "health=healthy" in run.end()


def test_where_the_host_says_the_port(port: int, tmp_path: Path) -> None:
    run = Run(write_compose(tmp_path, 9090, 'environment: {PORT: "9090"}'), port, tmp_path / "log")
    with run.client() as client:
        assert client.get("/health/ready").status_code == 200
        assert client.get("/ping").status_code == 404
    assert "health=healthy" in run.end()

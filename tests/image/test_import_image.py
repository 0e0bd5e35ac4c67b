"""The image of ``convoy import`` as the init container of an InferenceService; then the imported model is served."""

import json
import re
from pathlib import Path

import pytest
import yaml

from tests.image.pod import make_readable, run_as
from tests.image.test_image import TOOL, Run
from tests.image.test_image import port as port  # noqa: PLC0414  a fixture
from tests.process import ROOT
from tests.training.importing.test_sidecars import write_hugging_face_folder

pytestmark = [
    pytest.mark.skipif(not TOOL, reason="IMAGE_TEST names no command that builds and runs an image"),
    pytest.mark.timeout(1200),
]
SERVICE = yaml.safe_load((ROOT / "deploy" / "kubernetes" / "kserve" / "huggingface.yaml").read_text())


def test_a_hugging_face_folder_is_imported_and_served(port: int, tmp_path: Path, cat: bytes) -> None:
    write_hugging_face_folder(tmp_path / "hf")
    pod = SERVICE["spec"]["predictor"]
    [container] = [container for container in pod["initContainers"] if container["name"] == "import"]
    [words] = re.findall(r"AS import\n(?:.*\n)*?ENTRYPOINT (\[.*\])", (ROOT / "Dockerfile").read_text())
    command = " ".join((*json.loads(words), *container["args"]))
    serve = f"exec python -m service --models-dir /mnt/models --model-alias {SERVICE['metadata']['name']}"
    service = {
        **run_as(container, {}),
        "tmpfs": ["/tmp:size=64m,mode=1777", "/mnt/models:mode=1777"],
        "volumes": [f"{make_readable(tmp_path / 'hf')}:/source:ro"],
        "ports": ["${CONVOY_PORT}:8000"],
        "entrypoint": ["sh", "-c", f"{command} && {serve}"],
        "healthcheck": {"test": ["CMD", "python", "-S", "-m", "service", "health"], "interval": "1s", "retries": 100},
    }
    compose = tmp_path / "docker-compose.yml"
    compose.write_text(yaml.safe_dump({"services": {"convoy": service}}, width=1000))
    run = Run(compose, port, tmp_path / "log", TARGET="import")
    with run.client() as client:
        answer = client.post("/predict", params={"model": "beans"}, content=cat, headers={"content-type": "image/png"})
        assert answer.json()["predictions"][0]["label"].startswith("leaf ")
    report = run.end()
    assert "health=healthy user=10001" in report
    assert "exit=0" in report

"""The image, built from the Dockerfile and run through the compose file by a real Docker engine.

``IMAGE_TEST`` names a command for this: ``$IMAGE_TEST CONTEXT COMPOSE_FILE SERVICE PORT [PATH]`` builds, starts, waits
until healthy, fetches PATH, stops, and prints ``health=``, ``user=``, ``read-only=``, ``exit=`` and ``size=``.
`make image-test` sets it.
"""

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

import httpx
import pytest

from tests.process import ROOT

TOOL = os.environ.get("IMAGE_TEST", "")
pytestmark = [
    pytest.mark.skipif(not TOOL, reason="IMAGE_TEST names no command that builds and runs an image"),
    pytest.mark.timeout(1200),
]
MOST_BYTES_OVER_BASE = 370e6
BASE_BYTES = 195e6


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
        return number


class Run:
    """One run of the tool; requests are sent while the tool waits for the container to become healthy."""

    def __init__(self, compose: Path, port: int, log: Path, context: Path = ROOT, **env: str) -> None:
        self._log = log
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [*TOOL.split(), str(context), str(compose), "convoy", str(port), "/models"],
                env={**os.environ, "CONVOY_PORT": str(port), **env},
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self._url = f"http://127.0.0.1:{port}"

    def client(self) -> httpx.Client:
        """A client; waits until the container answers."""
        while self.goes_on():
            try:
                with httpx.Client(base_url=self._url, timeout=2) as client:
                    if client.get("/health/ready").status_code == 200:
                        return httpx.Client(base_url=self._url, timeout=10)
            except (httpx.TransportError, OSError):
                time.sleep(0.02)  # polling, since there is no event when a container begins to listen
        raise AssertionError

    def goes_on(self) -> bool:
        """Returns True while the tool runs; after its end raises an error with its output."""
        assert self._process.poll() is None, self._log.read_text()
        return True

    def end(self) -> str:
        """The output of the tool, after it has stopped the container."""
        assert self._process.wait() == 0, self._log.read_text()
        print(self._log.read_text())
        return self._log.read_text()


def test_the_image_serves_its_own_models_hardened_and_drains(port: int, tmp_path: Path, cat: bytes) -> None:
    compose = tmp_path / "docker-compose.yml"
    lines = (ROOT / "docker-compose.yml").read_text().splitlines()
    compose.write_text("\n".join(line for line in lines if ":/models:ro" not in line))
    run = Run(compose, port, tmp_path / "log")
    with run.client() as client:
        answer = client.post("/predict", content=cat, headers={"content-type": "image/png"})
        assert answer.json()["predictions"][0]["label"] == "cat"
        assert {model["name"] for model in client.get("/models").json()["models"]} == {"cifar10", "mnist"}
    report = run.end()
    assert "health=healthy user=10001:10001 read-only=true" in report
    assert "exit=0" in report
    size = next(line for line in report.splitlines() if line.startswith("size=")).removeprefix("size=")
    assert size.endswith("MB")
    assert float(size.removesuffix("MB")) * 1e6 <= BASE_BYTES + MOST_BYTES_OVER_BASE


def test_a_folder_of_models_takes_the_place_of_the_image_s(
    port: int, tmp_path: Path, samples: dict[str, list[Path]]
) -> None:
    models = tmp_path / "models"
    shutil.copytree(ROOT / "models" / "mnist" / "1", models / "mnist" / "1")
    for path in (tmp_path, *models.rglob("*")):
        path.chmod(0o755)  # the container's user is not the tests'
    run = Run(ROOT / "docker-compose.yml", port, tmp_path / "log", CONVOY_MODELS=str(models))
    with run.client() as client:
        answer = client.post(
            "/predict", content=samples["mnist"][0].read_bytes(), headers={"content-type": "image/png"}
        )
        assert (answer.json()["model"], answer.json()["predictions"][0]["label"]) == ("mnist", "0")
    assert "exit=0" in run.end()

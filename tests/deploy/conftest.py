"""The real Prometheus, with the project's rules, scraping a real service under load."""

import itertools
import json
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from bench.request_bytes import picture_bytes
from tests.deploy.checked import Check, checking
from tests.fixtures.pictures import first_test_images
from tests.process import ROOT, ServerProcess

CONFIG = ROOT / "deploy" / "prometheus"
_DISCOVERY = "dns_sd_configs: [{names: [convoy, convoy-gpu], type: A, port: 8000, refresh_interval: 10s}]"


class Prometheus:
    """Queries a Prometheus server."""

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=url, timeout=30)

    def ask(self, path: str, **params: str) -> Any:
        """The ``data`` of an API answer."""
        answer = self._client.get(f"/api/v1/{path}", params=params).json()
        assert answer["status"] == "success", answer
        return answer["data"]

    def first_answer(self, query: str) -> list[dict[str, Any]]:
        """Polls an instant query until its answer has numbers; the test's time limit ends it otherwise."""
        while True:
            found: list[dict[str, Any]] = self.ask("query", query=query)["result"]
            if any(np.isfinite(float(sample["value"][1])) for sample in found):
                return found
            time.sleep(0.2)

    def close(self) -> None:
        self._client.close()


def _load(url: str, stop: threading.Event) -> None:
    """Sends test images to both models, one per request and sometimes a broken one, until it is stopped."""
    pictures = [(model, _png(image)) for model in ("cifar10", "mnist") for image in first_test_images(model)]
    with httpx.Client(base_url=url, timeout=30) as client:
        for number in itertools.count():
            model, picture = pictures[number * 7 % len(pictures)]
            client.post(f"/models/{model}/predict", content=picture, headers={"content-type": "image/png"})
            if number % 100 == 0:
                client.post("/predict", content=b"no picture", headers={"content-type": "image/png"})
            if stop.is_set():
                return


def _png(pixels: NDArray[np.uint8]) -> bytes:
    return picture_bytes(Image.fromarray(pixels.squeeze()), "PNG")


@pytest.fixture(scope="session")
def faults_of() -> Iterator[Check]:
    """The errors that an API server would report for a custom resource."""
    with checking() as check:
        yield check


@pytest.fixture(scope="module")  # not the session, since its load would take a core from later tests
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Prometheus, scraping a busy service every second."""
    if shutil.which("prometheus") is None:
        pytest.skip("no prometheus in PATH (Debian: apt-get install prometheus)")
    folder = tmp_path_factory.mktemp("prometheus")
    stop = threading.Event()
    with ServerProcess(folder / "service.log") as service, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
        probe.close()
        for rules in ("rules.yml", "alerts.yml"):
            shutil.copy(CONFIG / rules, folder)
        config = (CONFIG / "prometheus.yml").read_text()
        assert _DISCOVERY in config
        target = f"static_configs: [{{targets: ['{service.url.removeprefix('http://')}']}}]"
        (folder / "prometheus.yml").write_text(config.replace(_DISCOVERY, target).replace("15s", "1s"))
        load = threading.Thread(target=_load, args=(service.url, stop))
        with (folder / "prometheus.log").open("wb") as log:
            process = subprocess.Popen(
                [
                    "prometheus",
                    f"--config.file={folder / 'prometheus.yml'}",
                    f"--storage.tsdb.path={folder / 'data'}",
                    f"--web.listen-address={address}",
                ],
                stderr=log,
            )
        client = Prometheus(f"http://{address}")
        try:
            load.start()
            _until_up(address, process, folder / "prometheus.log")
            yield client
        finally:
            client.close()
            stop.set()
            load.join()
            process.terminate()
            process.wait()


def _until_up(address: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    while process.poll() is None:
        try:
            if httpx.get(f"http://{address}/-/ready").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError(log.read_text())


def dashboard_queries() -> list[tuple[str, str]]:
    """(panel, query) of the dashboard, with every variable set to all."""
    dashboard = json.loads((ROOT / "deploy" / "grafana" / "dashboards" / "convoy.json").read_text())
    variables = {"$__rate_interval": "1m", "$job": ".*", "$model": ".*"}
    queries = []
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            query = target["expr"]
            for name, value in variables.items():
                query = query.replace(name, value)
            queries.append((panel["title"], query))
    return queries

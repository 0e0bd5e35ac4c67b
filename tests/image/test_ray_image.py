"""The image of Ray's pods, started as KubeRay starts the head of ``rayservice.yaml``: a shell, its user, its limits.

KubeRay sends the Serve config to the dashboard, and so does this test. One container is both the head and a worker.
"""

import json
import re
import resource
import shutil
import socket
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.image.test_image import TOOL, Run
from tests.image.test_image import port as port  # noqa: PLC0414  a fixture
from tests.process import ROOT

pytestmark = [
    pytest.mark.skipif(not TOOL, reason="IMAGE_TEST names no command that builds and runs an image"),
    pytest.mark.timeout(1800),
]
FOLDER = ROOT / "deploy" / "ray"
_ASK = "wget --tries 1 -T 10 -q -O- http://localhost"
HEALTHY = " && ".join(
    f"{_ASK}:{place} | grep success"
    for place in ("52365/api/local_raylet_healthz", "8265/api/gcs_healthz", "8000/-/healthz")
)
"""KubeRay's readiness probes of a head and of a worker that serves."""


@pytest.fixture
def dashboard_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
        return number


def make_context(folder: Path) -> Path:
    """A build context: the files that the Dockerfile copies, the Dockerfile and its .dockerignore."""
    text = (FOLDER / "Dockerfile").read_text()
    for source in re.findall(r"^COPY (\S+) ", text, re.M):
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, folder / source, ignore=shutil.ignore_patterns("__pycache__", "figures"))
        else:
            (folder / source).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / source, folder / source)
    (folder / "Dockerfile").write_text(text)
    (folder / ".dockerignore").write_text((FOLDER / "Dockerfile.dockerignore").read_text())
    return folder


def write_compose(folder: Path, manifest: dict[str, Any], dashboard: int) -> Path:
    """A compose file of the head's pod."""
    pod = manifest["spec"]["rayClusterConfig"]["headGroupSpec"]["template"]["spec"]
    [container] = pod["containers"]
    user, group = pod["securityContext"]["runAsUser"], pod["securityContext"]["runAsGroup"]
    service = {
        "image": container["image"],
        "user": f"{user}:{group}",
        "cap_drop": container["securityContext"]["capabilities"]["drop"],
        "security_opt": ["no-new-privileges:true"],
        "mem_limit": container["resources"]["limits"]["memory"].lower().removesuffix("i"),
        "ulimits": {"nofile": min(65536, resource.getrlimit(resource.RLIMIT_NOFILE)[1])},  # of a node of Kubernetes
        "tmpfs": [f"{mount['mountPath']}:mode=1777,exec" for mount in container["volumeMounts"]],
        "ports": ["${CONVOY_PORT}:8000", f"{dashboard}:8265"],
        "command": [
            "/bin/bash",
            "-c",
            "ulimit -n 65536; ray start --head --block --dashboard-host=0.0.0.0 --num-cpus=2",
        ],
        "healthcheck": {"test": HEALTHY, "interval": "3s", "timeout": "30s", "start_period": "300s"},
    }
    path = folder / "docker-compose.yml"
    path.write_text(yaml.safe_dump({"services": {"convoy": service}}, width=1000))
    return path


def deploy(dashboard: int, config: dict[str, Any], run: Run) -> None:
    """Sends a Serve config to Ray's dashboard, as soon as the dashboard answers."""
    while run.goes_on():
        try:
            httpx.get(f"http://127.0.0.1:{dashboard}/api/version", timeout=5).raise_for_status()
            break
        except httpx.HTTPError:
            time.sleep(0.2)  # polling, since there is no event when a container begins to listen
    answer = httpx.put(f"http://127.0.0.1:{dashboard}/api/serve/applications/", json=config, timeout=300)
    assert answer.status_code == 200, answer.text


def test_the_image_serves_on_ray_as_kuberay_starts_it(
    port: int, dashboard_port: int, tmp_path: Path, samples: dict[str, list[Path]]
) -> None:
    manifest = yaml.safe_load((FOLDER / "rayservice.yaml").read_text())
    compose = write_compose(tmp_path, manifest, dashboard_port)
    run = Run(compose, port, tmp_path / "log", context=make_context(tmp_path / "context"))
    deploy(dashboard_port, yaml.safe_load(manifest["spec"]["serveConfigV2"]), run)
    with run.client() as client:
        client.timeout = 60
        picture = samples["cifar10"][6].read_bytes()
        answer = client.post("/predict", content=picture, headers={"Content-Type": "image/png"}).json()
        assert (answer["model"], answer["predictions"][0]["label"]) == ("cifar10", "cat")
        assert client.get("/v2/models/mnist").json()["name"] == "mnist"
        assert client.get("/docs").status_code == 200
        assert "convoy_" in client.get("/metrics").text
        assert {model["name"] for model in client.get("/models").json()["models"]} == {"cifar10", "mnist"}
        found = httpx.get(f"http://127.0.0.1:{dashboard_port}/api/serve/applications/", timeout=30).json()
        print(json.dumps(found["applications"]["convoy"]["status"]))
    report = run.end()
    assert "health=healthy user=10001:10001" in report

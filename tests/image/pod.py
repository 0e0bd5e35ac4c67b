"""The pods of the manifests, and compose files that run their containers with the same user, limits and volumes."""

import re
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from tests.process import ROOT

KUBERNETES = ROOT / "deploy" / "kubernetes"
_BYTES = {"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30}
_CLUSTER = {"KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_PORT": "tcp://10.96.0.1:443"}


def read_pod(overlay: str) -> dict[str, Any]:
    """The pod specification of an overlay; for KServe that of its InferenceService ``pictures``."""
    if overlay == "grpc":
        with TemporaryDirectory() as folder:
            shutil.copytree(KUBERNETES, folder, dirs_exist_ok=True)
            (Path(folder) / "mine").mkdir()
            lines = '{"resources": ["../cpu"], "components": ["../grpc"]}'
            (Path(folder) / "mine" / "kustomization.yaml").write_text(lines)
            rendered = render(Path(folder) / "mine")
    else:
        rendered = render(KUBERNETES / overlay)
    documents = {
        document["kind"]: document for document in yaml.safe_load_all(rendered.replace("{{.Name}}", "pictures"))
    }
    runtime = documents.get("ServingRuntime")
    pod: dict[str, Any] = runtime["spec"] if runtime else documents["Deployment"]["spec"]["template"]["spec"]
    return pod


def render(folder: Path) -> str:
    """The documents that Kustomize renders from a folder."""
    return subprocess.run(("kubectl", "kustomize", str(folder)), capture_output=True, text=True, check=True).stdout


def make_readable(folder: Path) -> Path:
    """Makes a folder of the tests readable for the container's user."""
    folder.mkdir(exist_ok=True)
    for path in (folder.parent, folder, *folder.rglob("*")):
        path.chmod(0o755)
    return folder


def write_compose(folder: Path, pod: dict[str, Any], volumes: list[str], grpc_port: int) -> Path:
    """A compose file of the pod's container."""
    [container] = pod["containers"]
    emptied = {volume["name"]: volume["emptyDir"] for volume in pod["volumes"]}
    variables = {entry["name"]: entry["value"] for entry in container["env"]}
    service = {
        **run_as(container, pod.get("securityContext", {})),
        "environment": variables | _CLUSTER,
        "tmpfs": [
            f"{place['mountPath']}:size={bytes_of(emptied[place['name']]['sizeLimit'])},mode=1777"
            for place in container["volumeMounts"]
        ],
        "volumes": volumes,
        "ports": [
            f"{'${CONVOY_PORT}' if number == 0 else grpc_port}:{port['containerPort']}"
            for number, port in enumerate(container["ports"])
        ],
        "healthcheck": {"test": ["CMD", "test", "-e", "/signals/preStop-is-over"], "interval": "1s", "retries": 1000},
    }
    path = folder / "docker-compose.yml"
    path.write_text(yaml.safe_dump({"services": {"convoy": service}}, width=1000))
    return path


def run_as(container: dict[str, Any], pod_security: dict[str, Any]) -> dict[str, Any]:
    """The part of a compose service with the container's image, user and permissions."""
    security = pod_security | container["securityContext"]
    limits = container["resources"]["limits"]
    return {
        "image": container["image"],
        "user": ":".join(str(security[who]) for who in ("runAsUser", "runAsGroup") if who in security),
        "read_only": security["readOnlyRootFilesystem"],
        "cap_drop": security["capabilities"]["drop"],
        "security_opt": ["no-new-privileges:true"] if not security["allowPrivilegeEscalation"] else [],
        "mem_limit": bytes_of(limits["memory"]),
        "memswap_limit": bytes_of(limits["memory"]),
        "cpus": float(limits["cpu"]),
    }


def bytes_of(quantity: str) -> int:
    """Converts a quantity of Kubernetes to bytes."""
    number, unit = re.fullmatch(r"(\d+)([KMG]i)", quantity).groups()  # type: ignore[union-attr]
    return int(number) * _BYTES[unit]

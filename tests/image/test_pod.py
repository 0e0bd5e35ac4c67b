"""The image as a kubelet runs it from the manifests: user, limits, volumes, probes, preStop, and SIGTERM under load.

What is not a kubelet's here: the container's network (a published port), and the end of ``preStop``, which the tool
learns from a file: the container's health check. For some seconds after the pod was told to end, requests come over new
connections, from proxies that have not heard of it; those over open connections go on until the service closes them.
"""

import asyncio
import json
import re
import shutil
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import grpc
import pytest
import yaml
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from tests.image.test_image import TOOL, Run
from tests.image.test_image import port as port  # noqa: PLC0414  a fixture
from tests.process import ROOT

pytestmark = [
    pytest.mark.skipif(not TOOL, reason="IMAGE_TEST names no command that builds and runs an image"),
    pytest.mark.skipif(shutil.which("kubectl") is None, reason="no kubectl, which renders the manifests"),
    pytest.mark.timeout(1200),
]
MODELS = ROOT / "models"
KUBERNETES = ROOT / "deploy" / "kubernetes"
_KEPT, _NEW = 8, 4
_PROXIES_HEAR_S = 5
_BYTES = {"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30}
_CLUSTER = {"KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_PORT": "tcp://10.96.0.1:443"}


def of_image(_: Path) -> None:
    """The models are those in the image."""


def repository(folder: Path) -> None:
    for name in ("cifar10", "mnist"):
        shutil.copytree(MODELS / name / "2", folder / name / "2")


def one_file(folder: Path) -> None:
    shutil.copy(MODELS / "cifar10" / "2" / "model.onnx", folder / "animals.onnx")


class Case(NamedTuple):
    """Where the models come from.

    Attributes:
        overlay: that is rendered; ``grpc``: the overlay ``cpu`` with this component.
        mount: where models are mounted; None: nowhere.
        put_models: puts them there.
        names: under which models answer.
    """

    overlay: str
    mount: str | None
    put_models: Callable[[Path], None]
    names: tuple[str, ...]


CASES = {
    "base": Case("base", None, of_image, ("cifar10", "mnist")),
    "cpu": Case("cpu", None, of_image, ("cifar10", "mnist")),
    "cpu with gRPC": Case("grpc", None, of_image, ("cifar10", "mnist")),
    "cpu with a volume": Case("cpu", "/models", repository, ("cifar10", "mnist")),
    "kserve, one file": Case("kserve", "/mnt/models", one_file, ("pictures", "cifar10")),
    "kserve, a repository": Case("kserve", "/mnt/models", repository, ("pictures", "cifar10", "mnist")),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_pod_starts_answers_and_ends_under_load_without_a_lost_request(
    case: Case, port: int, tmp_path: Path, cat: bytes
) -> None:
    overlay, mount, put_models, names = case
    volumes = [f"{make_readable(tmp_path / 'signals')}:/signals:ro"]
    if mount is not None:
        (tmp_path / "models").mkdir()
        put_models(tmp_path / "models")
        volumes.append(f"{make_readable(tmp_path / 'models')}:{mount}:ro")
    pod = read_pod(overlay)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        grpc_port: int = probe.getsockname()[1]
    run = Run(write_compose(tmp_path, pod, volumes, grpc_port), port, tmp_path / "log")
    found = asyncio.run(Kubelet(pod, port, grpc_port, run, tmp_path / "signals" / "preStop-is-over").live(cat, names))
    report = run.end()
    user = pod["containers"][0]["securityContext"].get("runAsUser") or pod["securityContext"]["runAsUser"]
    print(f"{overlay}: {dict(found)}")
    assert f"health=healthy user={user}" in report
    assert "read-only=true" in report
    assert "exit=0" in report
    assert found["answered 200"] > 500
    assert {what for what in found if what.startswith(("answered", "lost"))} == {"answered 200"}
    assert {what for what in found if what.startswith("failed")} == set()


def read_pod(overlay: str) -> dict[str, Any]:
    """The specification of the pods that an overlay makes; KServe's as its InferenceService ``pictures`` gets it."""
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
    """What Kustomize makes of a folder."""
    return subprocess.run(("kubectl", "kustomize", str(folder)), capture_output=True, text=True, check=True).stdout


def make_readable(folder: Path) -> Path:
    """Lets the container's user read a folder of the tests' user."""
    folder.mkdir(exist_ok=True)
    for path in (folder.parent, folder, *folder.rglob("*")):
        path.chmod(0o755)
    return folder


def write_compose(folder: Path, pod: dict[str, Any], volumes: list[str], grpc_port: int) -> Path:
    """A compose file of the pod's container."""
    [container] = pod["containers"]
    security = pod.get("securityContext", {}) | container["securityContext"]
    emptied = {volume["name"]: volume["emptyDir"] for volume in pod["volumes"]}
    variables = {entry["name"]: entry["value"] for entry in container["env"]}
    service = {
        "image": container["image"],
        "user": ":".join(str(security[who]) for who in ("runAsUser", "runAsGroup") if who in security),
        "read_only": security["readOnlyRootFilesystem"],
        "cap_drop": security["capabilities"]["drop"],
        "security_opt": ["no-new-privileges:true"] if not security["allowPrivilegeEscalation"] else [],
        "mem_limit": bytes_of(container["resources"]["limits"]["memory"]),
        "memswap_limit": bytes_of(container["resources"]["limits"]["memory"]),
        "cpus": float(container["resources"]["limits"]["cpu"]),
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


def bytes_of(quantity: str) -> int:
    """How many bytes a quantity of Kubernetes is."""
    number, unit = re.fullmatch(r"(\d+)([KMG]i)", quantity).groups()  # type: ignore[union-attr]
    return int(number) * _BYTES[unit]


class Kubelet:
    """Probes a pod, sends it requests, and ends it.

    Args:
        pod: its specification.
        port: where its container answers.
        grpc_port: the same over gRPC.
        run: of the tool that holds the container.
        stop: the file whose existence lets the tool send SIGTERM.
    """

    def __init__(self, pod: dict[str, Any], port: int, grpc_port: int, run: Run, stop: Path) -> None:
        [self._container] = pod["containers"]
        self._port = port
        self._grpc_address = f"127.0.0.1:{grpc_port}"
        self._run = run
        self._stop = stop
        self._found: Counter[str] = Counter()
        self._is_known = True  # to the proxies, which open connections to it

    async def live(self, picture: bytes, names: tuple[str, ...]) -> Counter[str]:
        """From the start to the end; counts answers, lost requests and probes that failed."""
        await self._start()
        for name in names:
            status, _ = await self._ask(f"GET /v2/models/{name}/ready", b"")
            self._found[f"{'passed' if status == 200 else 'failed'} model {name}"] += 1
        probes = [asyncio.create_task(self._probe(kind)) for kind in ("readinessProbe", "livenessProbe")]
        clients = [asyncio.create_task(self._keep_asking(picture)) for _ in range(_KEPT)]
        clients += [asyncio.create_task(self._ask_anew(picture)) for _ in range(_NEW)]
        await asyncio.sleep(5)  # the pod serves; what follows is its end
        asyncio.get_running_loop().call_later(_PROXIES_HEAR_S, self._leave_proxies)
        sleep = self._container.get("lifecycle", {}).get("preStop", {}).get("sleep", {"seconds": 0})
        await asyncio.sleep(sleep["seconds"])
        for probe in probes:  # a kubelet goes on, but counts no more
            probe.cancel()
        self._stop.touch()
        await asyncio.gather(*clients)
        return self._found

    def _leave_proxies(self) -> None:
        self._is_known = False

    async def _start(self) -> None:
        """The startup probe; while the image is built, nothing listens, and that is no try."""
        probe = self._container["startupProbe"]
        begun = 0.0
        while self._run.goes_on():
            try:
                status, _ = await self._ask(f"GET {probe['httpGet']['path']}", b"")
            except (OSError, EOFError):
                status = 0
            if status == 200:
                self._found["startup s"] = round(time.monotonic() - begun) if begun else 0
                return
            # Docker's proxy listens once the container is created, and the service later.
            begun = begun or (time.monotonic() if await self._listens() else 0.0)
            assert not begun or time.monotonic() - begun < probe["periodSeconds"] * probe["failureThreshold"]
            await asyncio.sleep(0.2)

    async def _listens(self) -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self._port)
        except OSError:
            return False
        writer.close()
        return True

    async def _probe(self, kind: str) -> None:
        probe = self._container[kind]
        while True:
            try:
                async with asyncio.timeout(probe["timeoutSeconds"]):
                    passed = await self._passes(probe)
            except (OSError, EOFError, TimeoutError, grpc.aio.AioRpcError):
                passed = False
            self._found[f"{'passed' if passed else 'failed'} {kind}{' over gRPC' if 'grpc' in probe else ''}"] += 1
            await asyncio.sleep(probe["periodSeconds"])

    async def _passes(self, probe: dict[str, Any]) -> bool:
        if "grpc" in probe:
            async with grpc.aio.insecure_channel(self._grpc_address) as channel:
                answer = await HealthStub(channel).Check(HealthCheckRequest(service=probe["grpc"].get("service", "")))
                return bool(answer.status == HealthCheckResponse.SERVING)
        status, _ = await self._ask(f"GET {probe['httpGet']['path']}", b"")
        return status == 200

    async def _ask_anew(self, picture: bytes) -> None:
        """Requests over a new connection each, for as long as proxies open them."""
        while self._is_known:
            try:
                status, _ = await self._ask("POST /predict", picture)
                self._found[f"answered {status}"] += 1
            except (OSError, EOFError) as error:
                self._found[f"lost: {error!r}"] += 1
            await asyncio.sleep(0.02)

    async def _keep_asking(self, picture: bytes) -> None:
        """Requests over one connection, until the service says that it closes it."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            is_open = True
            while is_open:
                status, is_open = await self._exchange(reader, writer, "POST /predict", picture)
                self._found[f"answered {status}"] += 1
                await asyncio.sleep(0.01)
        except (OSError, EOFError) as error:
            self._found[f"lost: {error!r}"] += 1
        finally:
            writer.close()

    async def _ask(self, line: str, body: bytes) -> tuple[int, bool]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            return await self._exchange(reader, writer, line, body)
        finally:
            writer.close()

    @staticmethod
    async def _exchange(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, line: str, body: bytes
    ) -> tuple[int, bool]:
        """The status of an answer, and whether the connection stays open."""
        head = f"{line} HTTP/1.1\r\nHost: pod\r\nContent-Type: image/png\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        answer = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = re.search(r"content-length: (\d+)", answer)
        content = await reader.readexactly(int(length[1]) if length else 0)
        assert line.startswith("GET") or json.loads(content)["predictions"][0]["label"] == "cat"
        return int(answer.split()[1]), "connection: close" not in answer

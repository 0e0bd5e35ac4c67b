"""The image as a kubelet runs it from the manifests: user, limits, volumes, probes, preStop, and SIGTERM under load.

Two things differ from a kubelet: the container's network is a published port, and a file, checked by the container's
health check, tells the tool that ``preStop`` has ended.
"""

import asyncio
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.image.kubelet import Kubelet
from tests.image.pod import make_readable, read_pod, write_compose
from tests.image.test_image import TOOL, Run
from tests.image.test_image import port as port  # noqa: PLC0414  a fixture
from tests.process import ROOT

pytestmark = [
    pytest.mark.skipif(not TOOL, reason="IMAGE_TEST names no command that builds and runs an image"),
    pytest.mark.skipif(shutil.which("kubectl") is None, reason="no kubectl, which renders the manifests"),
    pytest.mark.timeout(1200),
]
MODELS = ROOT / "models"


def of_image(_: Path) -> None:
    """The models are those in the image."""


def repository(folder: Path) -> None:
    for name in ("cifar10", "mnist"):
        shutil.copytree(MODELS / name / "2", folder / name / "2")


def one_file(folder: Path) -> None:
    shutil.copy(MODELS / "cifar10" / "2" / "model.onnx", folder / "animals.onnx")


class Case(NamedTuple):
    """One way to provide the models.

    Attributes:
        overlay: the overlay to render; ``grpc`` is the overlay ``cpu`` with this component.
        mount: the folder where models are mounted; None for none.
        put_models: function that puts models there.
        names: of the models that must answer.
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

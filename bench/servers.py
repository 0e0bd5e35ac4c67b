"""The servers that are measured: the service, its peers, and an app that does nothing."""

import struct
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from bench.folders import ROOT
from bench.peers.catalog import Peer, Setting
from bench.workloads import Workload, default_file

CONVOY, EMPTY = "Convoy", "empty ASGI app"
_OURS = ("png", "multipart", "mnist", "jpeg", "bulk")


@dataclass(frozen=True, slots=True)
class Server:
    """One server with one setting.

    Attributes:
        name: of the product.
        setting: the name of its setting.
        command: that starts it; ``{port}`` is filled in.
        variables: of its environment; ``{port}`` is filled in.
        workloads: names of the workloads that it is measured with.
        path: that pictures are posted to.
        workers: processes; two are measured on two cores, unpinned.
        answers: whether its answers are checked; False for the app that does nothing.
    """

    name: str
    setting: str
    command: tuple[str, ...]
    variables: Mapping[str, str] = field(default_factory=dict)
    workloads: tuple[str, ...] = ("png",)
    path: str = "/predict"
    workers: int = 1
    answers: bool = True

    @property
    def title(self) -> str:
        """Product and setting."""
        return f"{self.name}, {self.setting}"

    def path_of(self, workload: Workload) -> str:
        """The path that a workload is posted to."""
        if self.name == CONVOY:
            # CIFAR-10 is the default model, so most requests need not name a model.
            named = {"oip": "/v2/models/cifar10/infer", "mnist": "/models/mnist/predict"}
            return named.get(workload.name, "/predict")
        if self.name == "Triton":
            return f"/v2/models/{'pixels' if workload.name == 'bulk' else 'pictures'}/infer"
        return self.path

    def adapt(self, workload: Workload) -> Workload:
        """The workload in the form that this server takes."""
        return _as_open_inference(workload) if self.name == "Triton" else workload


def convoy(workloads: tuple[str, ...] = _OURS, workers: int = 1) -> Server:
    """The service of this checkout, with its defaults."""
    setting = "default" if workers == 1 else f"--workers {workers}"
    command: tuple[str, ...] = (sys.executable, "-m", "service", "--port", "{port}")
    if workers > 1:
        command += ("--workers", str(workers))
        workloads = ("png",)
    return Server(CONVOY, setting, command, {}, workloads, workers=workers)


def empty() -> Server:
    """The app that does nothing: it shows the limit of the load generator."""
    command: tuple[str, ...] = (sys.executable, "-m", "uvicorn", "bench.empty_app:app", "--port", "{port}")
    command += ("--loop", "uvloop", "--http", "httptools", "--lifespan", "off")
    command += ("--no-access-log", "--log-level", "warning")
    return Server(EMPTY, "uvicorn, uvloop, httptools", command, answers=False)


def of_peer(peer: Peer, setting: Setting, python: Path, model: Path | None = None) -> Server:
    """A peer with one of its settings, in its environment; the model is CIFAR-10's default version or a file."""
    variables = {
        "BENCH_PORT": "{port}",
        "BENCH_WORKERS": str(setting.workers),
        "BENCH_MODEL": str(model or default_file("cifar10")),
        "ORT_DISABLE_TELEMETRY": "1",
        "PYTHONPATH": str(ROOT),
    }
    return Server(
        peer.name,
        setting.name,
        (str(python), "-m", f"bench.peers.{peer.module}"),
        variables | setting.variables,
        setting.workloads,
        setting.path,
        setting.workers,
    )


def _as_open_inference(workload: Workload) -> Workload:
    """Converts a workload to binary requests of the Open Inference Protocol v2: pictures as BYTES, arrays as UINT8."""
    bodies = []
    for body in workload.bodies:
        if workload.name == "bulk":
            shape, data = f"[{workload.images}, 32, 32, 3]", body[-workload.images * 32 * 32 * 3 :]
            name, datatype, binary = "image", "UINT8", "true"
        else:
            shape, data = "[1, 1]", struct.pack("<I", len(body)) + body
            name, datatype, binary = "picture", "BYTES", "false"
        header = (
            f'{{"inputs": [{{"name": "{name}", "shape": {shape}, "datatype": "{datatype}", '
            f'"parameters": {{"binary_data_size": {len(data)}}}}}], '
            f'"outputs": [{{"name": "probabilities", "parameters": {{"binary_data": {binary}}}}}]}}'
        ).encode()
        # All headers are padded to one length, since the HTTP header with the length is the same for all bodies.
        bodies.append((header, data))
    longest = max(len(header) for header, _ in bodies)
    headers = {"Inference-Header-Content-Length": str(longest), "Content-Type": "application/octet-stream"}
    return replace(workload, bodies=tuple(header.ljust(longest) + data for header, data in bodies), headers=headers)

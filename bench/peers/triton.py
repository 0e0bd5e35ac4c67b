"""Triton Inference Server from pytriton's wheel, with its Python backend, because a picture has to be decoded.

It has two models: ``pictures`` takes files as BYTES, ``pixels`` takes arrays. Triton writes the answers, JSON for a
picture.
"""

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench.peers import classify

_PICTURES = 'name: "picture" data_type: TYPE_STRING dims: [1]'
_PIXELS = 'name: "image" data_type: TYPE_UINT8 dims: [32, 32, 3]'
_CONFIG = """\
backend: "python"
max_batch_size: {limit}
input [ {{ {input} }} ]
output [ {{ name: "probabilities" data_type: TYPE_FP32 dims: [10] }} ]
instance_group [ {{ kind: KIND_CPU count: {instances} }} ]
dynamic_batching {{ max_queue_delay_microseconds: {delay_us} }}
"""


class TritonPythonModel:
    """The class that the Python backend calls; Triton prescribes its name."""

    def initialize(self, args: dict[str, str]) -> None:
        """Loads the network."""
        self._network = classify.Network()
        self._input = "picture" if args["model_name"] == "pictures" else "image"

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answers the requests of one batch."""
        import triton_python_backend_utils as backend  # noqa: PLC0415  exists in the server's stub only

        arrays = [backend.get_input_tensor_by_name(request, self._input).as_numpy() for request in requests]
        if self._input == "picture":
            arrays = [classify.decode(array[0, 0]) for array in arrays]
        rows = self._network.run_many(arrays)
        return [backend.InferenceResponse([backend.Tensor("probabilities", row)]) for row in rows]


def _lay_out(folder: Path) -> None:
    """Writes a model repository whose models are this module."""
    for name, tensor, limit in (("pictures", _PICTURES, max(classify.BATCH, 1)), ("pixels", _PIXELS, 256)):
        (folder / name / "1").mkdir(parents=True)
        # The backend's interpreter ignores PYTHONPATH and virtual environments.
        source = f"import sys\nsys.path += {sys.path!r}\nfrom bench.peers.triton import TritonPythonModel\n"
        (folder / name / "1" / "model.py").write_text(source)
        config = _CONFIG.format(limit=limit, input=tensor, instances=classify.WORKERS, delay_us=classify.WAIT_MS * 1000)
        (folder / name / "config.pbtxt").write_text(config)


if __name__ == "__main__":
    import pytriton

    server = Path(pytriton.__file__).parent / "tritonserver"
    repository = Path(tempfile.mkdtemp(prefix="bench-triton-"))
    _lay_out(repository)
    backends = repository.with_name(f"{repository.name}-backends")
    (backends / "python").mkdir(parents=True)
    stubs = server / "python_backend_stubs" / f"{sys.version_info.major}.{sys.version_info.minor}"
    for file in (*(server / "backends" / "python").iterdir(), *stubs.iterdir()):
        (backends / "python" / file.name).symlink_to(file)
    os.environ["LD_LIBRARY_PATH"] = str(server.parent.parent / "nvidia_pytriton.libs")
    command = [str(server / "bin" / "tritonserver"), f"--model-repository={repository}"]
    command += [f"--backend-directory={backends}", "--http-address=127.0.0.1"]
    command += [f"--http-port={classify.PORT}", "--allow-grpc=false", "--allow-metrics=false", "--log-info=false"]
    command += ["--backend-config=python,shm-default-byte-size=16777216"]
    os.execv(command[0], command)

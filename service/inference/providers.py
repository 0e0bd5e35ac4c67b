"""Chooses the execution provider that runs the models, and checks that it works.

::

    setting ──> built in? ──> driver, GPU? ──> versions fit? ──> does a session compute on it? ──> Provider
                   └───────────────┴───────────────┴── no ──────────────┘
                                                       ├── auto: the CPU, and a warning that says why
                                                       └── cuda, tensorrt: ProviderUnavailableError that says why

If a requested GPU cannot be used, ONNX Runtime writes a line to stderr, makes the session on the CPU and still lists
the GPU as available. So a provider counts as usable only after a session that may not use the CPU has computed
something on it.
"""

import contextlib
import ctypes
import io
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from service.errors import ProviderUnavailableError
from service.inference.driver import Driver, read_driver
from service.inference.probe import PROBE_MODEL
from service.inference.reasons import first_line
from service.inference.runtime import onnxruntime

logger = logging.getLogger(__name__)

ProviderName = Literal["cpu", "cuda", "tensorrt"]
ProviderChoice = Literal["auto", "cpu", "cuda", "tensorrt"]

ONNX_RUNTIME_NAMES: dict[ProviderName, str] = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
}
_LIBRARIES: dict[ProviderName, tuple[str, ...]] = {
    "cuda": ("libonnxruntime_providers_cuda.so",),
    "tensorrt": ("libonnxruntime_providers_cuda.so", "libonnxruntime_providers_tensorrt.so"),
}
_WARNING, _FATAL = 2, 4  # ONNX Runtime's severities


@dataclass(frozen=True, slots=True)
class Provider:
    """An execution provider that works on this machine.

    Attributes:
        name: cpu, cuda or tensorrt.
        device_id: of the GPU; 0 on the CPU.
        is_required: whether a model that cannot run on this provider is refused; otherwise it is run on the CPU.
        fallback_reason: why the CPU is used although a GPU or a GPU build was found; otherwise empty.
    """

    name: ProviderName
    device_id: int = 0
    is_required: bool = True
    fallback_reason: str = ""

    @property
    def is_gpu(self) -> bool:
        """Whether the provider computes on a GPU."""
        return self.name != "cpu"


def choose_provider(choice: ProviderChoice, worker_slot: int = 0) -> Provider:
    """Finds the provider for a setting on this machine.

    Args:
        choice: the setting ``execution_provider``; ``auto`` means the GPU where one works.
        worker_slot: number of this worker, from 0; worker n takes GPU n modulo the number of GPUs.

    Returns:
        The provider for all sessions.

    Raises:
        ProviderUnavailableError: the setting names a GPU provider that cannot be used; the message says why.
    """
    if choice == "cpu":
        return Provider("cpu")
    name: ProviderName = "cuda" if choice == "auto" else choice
    try:
        driver = check_usable(name)
    except ProviderUnavailableError as error:
        if choice != "auto":
            raise ProviderUnavailableError(f"execution_provider={choice}: {error}") from error
        is_missed = has_gpu() or is_built_in("cuda")
        log = logger.warning if is_missed else logger.info
        log("execution_provider=auto: serving on the CPU, because %s", error)
        return Provider("cpu", fallback_reason=str(error) if is_missed else "")
    return Provider(name, device_id=worker_slot % len(driver.gpus), is_required=choice != "auto")


def check_usable(name: ProviderName) -> Driver:
    """Checks, step by step, everything that a GPU provider needs, and computes something on it.

    Args:
        name: cuda or tensorrt.

    Returns:
        The driver, with the GPUs.

    Raises:
        ProviderUnavailableError: something is missing. The message names the first such thing.
    """
    if not is_built_in(name):
        raise ProviderUnavailableError(
            f"this onnxruntime {onnxruntime.__version__} was built without {ONNX_RUNTIME_NAMES[name]}; "
            "install the `gpu` requirements instead of the `cpu` ones"
        )
    driver = read_driver()
    built_for = str(onnxruntime.cuda_version or "")
    if built_for and int(built_for.partition(".")[0]) > driver.cuda_version[0]:
        raise ProviderUnavailableError(
            f"this onnxruntime {onnxruntime.__version__} is built for CUDA {built_for}, and the driver runs CUDA "
            f"{'.'.join(map(str, driver.cuda_version))} at most; install a newer driver"
        )
    _compute_something(name)
    return driver


def is_built_in(name: ProviderName) -> bool:
    """Whether the installed ONNX Runtime was built with a provider. That does not mean that the provider works."""
    return ONNX_RUNTIME_NAMES[name] in onnxruntime.get_available_providers()


def has_gpu() -> bool:
    """Whether there is a driver that lists a GPU."""
    try:
        return bool(read_driver().gpus)
    except ProviderUnavailableError:
        return False


def session_options(name: ProviderName, intra_op_threads: int = 1) -> Any:
    """ONNX Runtime's options for a session; on a GPU they forbid that any node is placed on the CPU."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = intra_op_threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Threads that spin while they wait for each other would take CPU time from decoding, even within a run.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    if name != "cpu":
        options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    return options


def placement(session: Any) -> dict[str, int]:
    """How many nodes of a session were placed on each provider, by ONNX Runtime's name of the provider."""
    nodes: dict[str, int] = {}
    for subgraph in session.get_provider_graph_assignment_info():
        nodes[subgraph.ep_name] = nodes.get(subgraph.ep_name, 0) + len(subgraph.get_nodes())
    return nodes


def _compute_something(name: ProviderName) -> None:
    with contextlib.redirect_stdout(io.StringIO()):  # it prints a problem that the error below explains better
        onnxruntime.preload_dlls()
    options = session_options(name)
    options.log_severity_level = _FATAL
    onnxruntime.set_default_logger_severity(_FATAL)
    try:
        session = onnxruntime.InferenceSession(
            PROBE_MODEL, options, providers=[ONNX_RUNTIME_NAMES[name]], enable_fallback=False
        )
        session.run(None, {"x": np.ones(1, np.float32)})
    except Exception as error:  # ONNX Runtime's exceptions have no common base class
        missing = _missing_library(name)
        reason = missing or f"ONNX Runtime cannot compute on the GPU: {first_line(error)}"
        raise ProviderUnavailableError(reason) from error
    finally:
        onnxruntime.set_default_logger_severity(_WARNING)
    if session.get_providers()[0] != ONNX_RUNTIME_NAMES[name]:
        raise ProviderUnavailableError(f"ONNX Runtime put the session on {session.get_providers()[0]} instead")


def _missing_library(name: ProviderName) -> str:
    """Describes the first library of a provider that cannot be loaded; empty where all can be loaded.

    It must be called after ONNX Runtime has tried to load its providers: they search for ONNX Runtime once, when they
    are loaded, and would not find it before.
    """
    folder = Path(onnxruntime.__file__).parent / "capi"
    try:
        for library in _LIBRARIES[name]:
            ctypes.CDLL(str(folder / library))
    except OSError as error:
        cuda = f"CUDA {onnxruntime.cuda_version}"
        needed = f"{cuda} and cuDNN 9" if name == "cuda" else f"{cuda}, cuDNN 9 and TensorRT 10"
        return f"a library of {needed} is missing: {error}; install the `gpu` requirements"
    return ""

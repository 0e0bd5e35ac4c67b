"""Which execution provider runs the models, and whether it really can.

::

    setting ──> built in? ──> driver, GPU? ──> versions fit? ──> does a session compute on it? ──> Provider
                   └───────────────┴───────────────┴── no ──────────────┘
                                                       ├── auto: the CPU, and a warning that says why
                                                       └── cuda, tensorrt: ProviderUnavailableError that says why

ONNX Runtime makes a session on the CPU, with no more than a line on stderr, where the GPU that was asked for cannot be
used, and goes on naming the GPU as available. So a provider is believed only once a session was made on it with the
CPU forbidden.
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
    """An execution provider that was seen to work here.

    Attributes:
        name: cpu, cuda or tensorrt.
        device_id: of the GPU; 0 on the CPU.
        is_required: whether a model that cannot run on it must not run at all.
        fallback_reason: why it is the CPU although a GPU was looked for; empty where none was missed.
    """

    name: ProviderName
    device_id: int = 0
    is_required: bool = True
    fallback_reason: str = ""

    @property
    def is_gpu(self) -> bool:
        """Whether it is not the CPU."""
        return self.name != "cpu"


def choose_provider(choice: ProviderChoice, worker_slot: int = 0) -> Provider:
    """Finds the provider that a setting means on this machine.

    Args:
        choice: as set; ``auto`` takes the GPU where one works.
        worker_slot: number of this worker among its siblings; the GPUs are shared out by it.

    Returns:
        The provider to make sessions on.

    Raises:
        ProviderUnavailableError: a GPU was asked for by name and cannot be used; says what is missing.
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
    """Goes through everything that a GPU provider needs, from the bottom up, and computes something on it.

    Args:
        name: cuda or tensorrt.

    Returns:
        The driver, with the GPUs.

    Raises:
        ProviderUnavailableError: says the first thing that is missing.
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
    """Whether the installed ONNX Runtime has a provider; whether it works is another question."""
    return ONNX_RUNTIME_NAMES[name] in onnxruntime.get_available_providers()


def has_gpu() -> bool:
    """Whether the driver shows a GPU."""
    try:
        return bool(read_driver().gpus)
    except ProviderUnavailableError:
        return False


def session_options(name: ProviderName, intra_op_threads: int = 1) -> Any:
    """ONNX Runtime's options for a session on a provider, which may put no node on the CPU unless it is the CPU."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = intra_op_threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # A thread that spins between runs takes the core that decodes the next request.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    if name != "cpu":
        options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    return options


def placement(session: Any) -> dict[str, int]:
    """Where a session's nodes were really placed: nodes by ONNX Runtime's name of the provider."""
    nodes: dict[str, int] = {}
    for subgraph in session.get_provider_graph_assignment_info():
        nodes[subgraph.ep_name] = nodes.get(subgraph.ep_name, 0) + len(subgraph.get_nodes())
    return nodes


def _compute_something(name: ProviderName) -> None:
    with contextlib.redirect_stdout(io.StringIO()):  # it prints what the error below says better
        onnxruntime.preload_dlls()
    options = session_options(name)
    options.log_severity_level = _FATAL
    onnxruntime.set_default_logger_severity(_FATAL)
    try:
        session = onnxruntime.InferenceSession(
            PROBE_MODEL, options, providers=[ONNX_RUNTIME_NAMES[name]], enable_fallback=False
        )
        session.run(None, {"x": np.ones(1, np.float32)})
    except Exception as error:  # ONNX Runtime's exceptions share no base class of their own
        missing = _missing_library(name)
        reason = missing or f"ONNX Runtime cannot compute on the GPU: {str(error).splitlines()[0]}"
        raise ProviderUnavailableError(reason) from error
    finally:
        onnxruntime.set_default_logger_severity(_WARNING)
    if session.get_providers()[0] != ONNX_RUNTIME_NAMES[name]:
        raise ProviderUnavailableError(f"ONNX Runtime put the session on {session.get_providers()[0]} instead")


def _missing_library(name: ProviderName) -> str:
    """Names the first library that a provider needs and that cannot be loaded; empty where all can.

    Only to be asked after ONNX Runtime has failed: it must be the first to load its providers, because they look for
    it once, while they are loaded.
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

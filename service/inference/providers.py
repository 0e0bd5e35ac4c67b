"""Which execution provider runs the models, and whether it really does.

ONNX Runtime makes a session on the CPU, with no more than a warning, where the GPU that was asked for cannot be used,
and goes on naming the GPU as available. So a provider here is believed only once a session was made on it.
"""

import logging
from dataclasses import dataclass
from typing import Any, Literal

from service.errors import ProviderUnavailableError
from service.inference.runtime import onnxruntime

logger = logging.getLogger(__name__)

ProviderName = Literal["cpu", "cuda", "tensorrt"]

_ONNX_RUNTIME_NAMES: dict[ProviderName, str] = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
}


@dataclass(frozen=True, slots=True)
class Provider:
    """An execution provider and how it is to be set up.

    Attributes:
        name: cpu, cuda or tensorrt.
        options: ONNX Runtime's, for this provider.
    """

    name: ProviderName
    options: tuple[tuple[str, str], ...] = ()

    @property
    def onnx_runtime_name(self) -> str:
        """As ONNX Runtime calls it."""
        return _ONNX_RUNTIME_NAMES[self.name]

    @property
    def session_providers(self) -> list[tuple[str, dict[str, Any]]]:
        """The ``providers`` argument of a session."""
        return [(self.onnx_runtime_name, dict(self.options))]


def choose_provider(choice: Literal["auto", "cpu", "cuda", "tensorrt"]) -> Provider:
    """Finds the provider that a setting means on this machine.

    Args:
        choice: as set; ``auto`` takes the GPU where one works.

    Returns:
        The provider to make sessions on.

    Raises:
        ProviderUnavailableError: a GPU was asked for by name and this machine or this installation has none.
    """
    if choice == "cpu":
        return Provider("cpu")
    available = onnxruntime.get_available_providers()
    wanted = Provider("cuda" if choice == "auto" else choice)
    if wanted.onnx_runtime_name not in available:
        missing = (
            f"this onnxruntime {onnxruntime.__version__} was built without {wanted.onnx_runtime_name} "
            f"(it has {', '.join(available)}); install the `gpu` requirements instead of the `cpu` ones"
        )
        if choice != "auto":
            raise ProviderUnavailableError(f"execution_provider={choice}: {missing}")
        logger.info("serving on the CPU: %s", missing)
        return Provider("cpu")
    onnxruntime.preload_dlls()
    return wanted

"""One model file as something that runs: an ONNX Runtime session, checked against what the file says of itself."""

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contract import GOLDEN_TOLERANCE, INPUT_NAME, OUTPUT_NAME, ContractError, ModelMetadata
from service.errors import ModelRefusedError, ProviderUnavailableError
from service.inference.providers import Provider
from service.inference.runtime import onnxruntime

_WARM_UP_RUNS = 3


class ModelSession:
    """Runs one exported classifier.

    Args:
        model: the bytes of the ONNX file.
        origin: where they come from, for messages.
        provider: to run on, and on no other.
        intra_op_threads: threads of one run.

    Attributes:
        metadata: what the file says about itself.
        provider: the provider that the session really has.

    Raises:
        ModelRefusedError: not an ONNX file of the contract, or its graph is not what its metadata says.
        ProviderUnavailableError: the session was made, but not on ``provider``.
    """

    def __init__(self, model: bytes, *, origin: str, provider: Provider, intra_op_threads: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = intra_op_threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # A thread that spins between runs takes the core that decodes the next request.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session: Any = onnxruntime.InferenceSession(
                model, sess_options=options, providers=provider.session_providers
            )
            self.metadata = ModelMetadata.from_props(self._session.get_modelmeta().custom_metadata_map)
        except ContractError as error:
            raise ModelRefusedError(f"{origin}: {error}") from error
        except Exception as error:
            raise ModelRefusedError(f"{origin}: ONNX Runtime cannot load it: {str(error).splitlines()[0]}") from error
        self.provider = provider.name
        if self._session.get_providers()[0] != provider.onnx_runtime_name:
            raise ProviderUnavailableError(
                f"{origin}: asked for {provider.onnx_runtime_name}, ONNX Runtime fell back to "
                f"{self._session.get_providers()[0]}"
            )
        self._check_graph(origin)

    def run(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Computes one batch.

        Args:
            images: uint8 [N, H, W, C].

        Returns:
            Probabilities, float32 [N, K].
        """
        probabilities: NDArray[np.float32] = self._session.run((OUTPUT_NAME,), {INPUT_NAME: images})[0]
        return probabilities

    def warm_up(self, batch_size: int) -> float:
        """Runs a few batches of the largest size, so that no request pays for the first.

        Args:
            batch_size: images in a batch.

        Returns:
            Seconds that a run takes an image, at that size.
        """
        images = np.zeros((batch_size, *self.metadata.input_shape), np.uint8)
        self.run(images[:1])
        fastest_s = float("inf")
        for _ in range(_WARM_UP_RUNS):
            started = time.perf_counter()
            self.run(images)
            fastest_s = min(fastest_s, time.perf_counter() - started)
        return fastest_s / batch_size

    def check_golden_images(self, origin: str) -> None:
        """Asks for the answers that the file itself expects.

        Raises:
            ModelRefusedError: an answer is off by more than the contract's tolerance.
        """
        golden = self.metadata.golden
        images = np.stack(
            [np.frombuffer(image.pixels, np.uint8).reshape(self.metadata.input_shape) for image in golden]
        )
        expected = np.array([image.probabilities for image in golden], np.float32)
        off = np.abs(self.run(images) - expected).max(axis=1)
        if not (off <= GOLDEN_TOLERANCE).all():
            raise ModelRefusedError(
                f"{origin}: golden image {int(off.argmax())} is off by {off.max():.4f}, more than {GOLDEN_TOLERANCE}: "
                "this file is not the model that was measured"
            )

    def _check_graph(self, origin: str) -> None:
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        if len(inputs) != 1 or len(outputs) != 1:
            raise ModelRefusedError(
                f"{origin}: the graph has {len(inputs)} inputs and {len(outputs)} outputs, not 1 and 1"
            )
        shape, classes = self.metadata.input_shape, len(self.metadata.labels)
        for port, name, kind, wanted in (
            (inputs[0], INPUT_NAME, "tensor(uint8)", [*shape]),
            (outputs[0], OUTPUT_NAME, "tensor(float)", [classes]),
        ):
            if port.name != name or port.type != kind or list(port.shape[1:]) != wanted:
                raise ModelRefusedError(
                    f"{origin}: the graph has {port.name} {port.type} {port.shape}; "
                    f"its metadata needs {name} {kind} ['N', {', '.join(map(str, wanted))}]"
                )
            if isinstance(port.shape[0], int):
                raise ModelRefusedError(f"{origin}: {name} has a fixed batch size of {port.shape[0]}")

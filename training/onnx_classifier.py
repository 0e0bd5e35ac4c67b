"""An exported file as it will be served: ONNX Runtime on the CPU, and the metadata that the file carries."""

from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from contract import INPUT_NAME, OUTPUT_NAME, ContractError, ModelMetadata
from training.errors import ModelFileError
from training.files import MEBIBYTE, read_file, reason
from training.scores import Probabilities

_BATCH = 256
_MAX_MODEL_BYTES = 2048 * MEBIBYTE  # the most that protobuf can hold


class OnnxClassifier:
    """A session over one model.

    Args:
        model: the file's content.
        origin: where it came from, for error messages.

    Raises:
        ModelFileError: not an ONNX model that ONNX Runtime can run.
    """

    def __init__(self, model: bytes, origin: str = "the exported graph") -> None:
        self._origin = origin
        try:
            self._session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime's exceptions share no base class of their own
            raise ModelFileError(f"{origin} is not an ONNX model that ONNX Runtime can run: {reason(error)}") from error

    @classmethod
    def open(cls, path: Path) -> "OnnxClassifier":
        """Reads a file.

        Raises:
            ModelFileError: it is missing, or not a model.
        """
        try:
            return cls(read_file(path, _MAX_MODEL_BYTES), str(path))
        except OSError as error:
            raise ModelFileError(f"{path} cannot be read: {reason(error)}") from error

    @property
    def metadata(self) -> ModelMetadata:
        """What the file says about itself.

        Raises:
            ModelFileError: nothing, or nothing that holds together.
        """
        try:
            return ModelMetadata.from_props(self._session.get_modelmeta().custom_metadata_map)
        except ContractError as error:
            raise ModelFileError(f"{self._origin} was not made by `convoy`: {reason(error)}") from error

    def predict(self, pixels: NDArray[np.uint8], batch_size: int = _BATCH) -> Probabilities:
        """Classifies pictures.

        Args:
            pixels: uint8 [N, H, W, C].
            batch_size: images a run.

        Returns:
            Probabilities, float32 [N, K].

        Raises:
            ModelFileError: the pictures have another shape than the model takes.
        """
        expected = self._session.get_inputs()[0].shape[1:]
        if list(pixels.shape[1:]) != expected:
            raise ModelFileError(f"{self._origin} takes images of {expected}, not {list(pixels.shape[1:])}")
        starts = range(0, len(pixels), batch_size)
        runs = [
            self._session.run([OUTPUT_NAME], {INPUT_NAME: pixels[start : start + batch_size]})[0] for start in starts
        ]
        return np.concatenate(runs)

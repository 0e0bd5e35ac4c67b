"""An exported file as it will be served: ONNX Runtime on the CPU, and the metadata that the file carries."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from contract import FAMILIARITY_NAME, INPUT_NAME, OUTPUT_NAME, ContractError, ModelMetadata
from training.errors import ModelFileError
from training.files import MEBIBYTE, read_file, reason
from training.scores import Probabilities

_BATCH = 256
_SILENT = 4
_MAX_MODEL_BYTES = 2048 * MEBIBYTE  # the most that protobuf can hold


class OnnxClassifier:
    """A session over one model.

    Args:
        model: the file's content.
        origin: a name of the file, for error messages.

    Raises:
        ModelFileError: not an ONNX model that ONNX Runtime can run.
    """

    def __init__(self, model: bytes, origin: str = "the exported graph") -> None:
        self._origin = origin
        try:
            options = onnxruntime.SessionOptions()
            options.log_severity_level = _SILENT  # every failure is also raised as an exception
            self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
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
        """The metadata of the file.

        Raises:
            ModelFileError: there is no metadata, or it contradicts itself.
        """
        try:
            return ModelMetadata.from_props(self._session.get_modelmeta().custom_metadata_map)
        except ContractError as error:
            raise ModelFileError(f"{self._origin} was not made by `convoy`: {reason(error)}") from error

    def predict(self, pixels: NDArray[np.uint8], batch_size: int = _BATCH) -> Probabilities:
        """Classifies pictures.

        Args:
            pixels: uint8 [N, H, W, C].
            batch_size: images per run.

        Returns:
            Probabilities, float32 [N, K].

        Raises:
            ModelFileError: the pictures have another shape than the model takes.
        """
        (probabilities,) = self.outputs((OUTPUT_NAME,), pixels, batch_size=batch_size)
        return probabilities

    def answers(self, pixels: NDArray[np.uint8]) -> tuple[Probabilities, NDArray[np.float32] | None]:
        """Probabilities, float32 [N, K], and the output ``familiarity``, [N]; None where the graph has none."""
        if FAMILIARITY_NAME not in {output.name for output in self._session.get_outputs()}:
            return self.predict(pixels), None
        probabilities, familiarity = self.outputs((OUTPUT_NAME, FAMILIARITY_NAME), pixels)
        return probabilities, familiarity

    def outputs(
        self,
        names: Sequence[str],
        pixels: NDArray[np.uint8],
        reduce: Callable[[str, NDArray[np.float32]], NDArray[np.float32]] = lambda _, values: values,
        *,
        batch_size: int = _BATCH,
    ) -> list[NDArray[np.float32]]:
        """Computes outputs for pictures.

        Args:
            names: of the outputs.
            pixels: uint8 [N, H, W, C].
            reduce: applied to the name and the values of each output of a run; its result is kept.
            batch_size: images per run.

        Returns:
            An array [N, ...] for each name.

        Raises:
            ModelFileError: the pictures have another shape than the model takes.
        """
        expected = self._session.get_inputs()[0].shape[1:]
        if list(pixels.shape[1:]) != expected:
            raise ModelFileError(f"{self._origin} takes images of {expected}, not {list(pixels.shape[1:])}")
        starts = range(0, len(pixels), batch_size)
        runs = []
        for start in starts:
            found = self._session.run(list(names), {INPUT_NAME: pixels[start : start + batch_size]})
            runs.append([reduce(name, values) for name, values in zip(names, found, strict=True)])
        return [np.concatenate(parts) for parts in zip(*runs, strict=True)]

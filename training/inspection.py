"""Reads the graph of an exported file, and computes its tensors for one picture by ONNX Runtime on the CPU."""

from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from contract import INPUT_NAME
from network.graph import Graph, GraphError, read_graph, with_outputs


class Inspection:
    """An exported file whose tensors can be computed.

    Args:
        model: the file's content.

    Raises:
        GraphError: its graph cannot be read.
    """

    def __init__(self, model: bytes) -> None:
        self._model = model
        self._graph = read_graph(model)

    def graph(self) -> Graph:
        """Its operations."""
        return self._graph

    def run(self, image: NDArray[np.uint8], names: tuple[str, ...], added: tuple[str, ...] = ()) -> list[Any]:
        """Computes tensors for one picture.

        Args:
            image: uint8 [1, H, W, C].
            names: of the tensors.
            added: those of ``names`` that are not outputs of the file.

        Raises:
            GraphError: ONNX Runtime cannot compute them.
        """
        try:
            session = onnxruntime.InferenceSession(
                with_outputs(self._model, list(added)), providers=["CPUExecutionProvider"]
            )
            values: list[Any] = session.run(list(names), {INPUT_NAME: image})
        except Exception as error:  # ONNX Runtime's exceptions share no base class of their own
            raise GraphError("the tensors inside it cannot be computed") from error
        return values

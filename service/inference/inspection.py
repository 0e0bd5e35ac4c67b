"""A second look at a served model's file: its graph, and the tensors inside it for one picture, on the CPU.

The file is read again when somebody asks first, and must still be the one that is served. The session stays until the
model is let go; it has one thread, so that it takes no more than a core from those that predict.
"""

import hashlib
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from contract import INPUT_NAME
from network.graph import Graph, GraphError, read_graph, with_outputs
from service.errors import UnavailableError
from service.inference.providers import ONNX_RUNTIME_NAMES, session_options
from service.inference.runtime import onnxruntime

_KEPT: Final = 2  # sessions: one for each set of outputs


@dataclass(frozen=True, slots=True)
class ModelSource:
    """The file that a model was loaded from.

    Attributes:
        path: of the file.
        sha256: of its content then, in hexadecimal digits.
    """

    path: Path
    sha256: str

    @classmethod
    def of(cls, path: Path, content: bytes) -> "ModelSource":
        """Remembers a file."""
        return cls(path, hashlib.sha256(content).hexdigest())


class Inspection:
    """Looks into one served model. Its methods block, and may be called in any thread.

    Args:
        source: the file that is served.
    """

    def __init__(self, source: ModelSource) -> None:
        self._source = source
        self._lock = threading.Lock()
        self._graph: Graph | None = None
        self._sessions: dict[tuple[str, ...], Any] = {}

    @property
    def path(self) -> Path:
        """Of the file, which may have gone since."""
        return self._source.path

    def graph(self) -> Graph:
        """The model's graph.

        Raises:
            UnavailableError: the file is not there any more, or has changed.
            GraphError: it cannot be read here.
        """
        with self._lock:
            if self._graph is None:
                self._graph = read_graph(self._content())
            return self._graph

    def run(self, image: NDArray[np.uint8], names: tuple[str, ...], added: tuple[str, ...] = ()) -> list[Any]:
        """Computes tensors for one picture.

        Args:
            image: uint8 [1, H, W, C].
            names: of the tensors.
            added: those of them that are no outputs of the file.

        Returns:
            An array for each name.

        Raises:
            UnavailableError: the file is not there any more, or has changed.
            GraphError: ONNX Runtime cannot compute them.
        """
        with self._lock:
            session = self._sessions.get(added) or self._open(added)
            try:
                values: list[Any] = session.run(list(names), {INPUT_NAME: image})
            except Exception as error:
                raise GraphError("the tensors inside it cannot be computed") from error
            return values

    def _open(self, added: tuple[str, ...]) -> Any:
        content = with_outputs(self._content(), list(added))
        try:
            session = onnxruntime.InferenceSession(
                content, session_options("cpu", 1), providers=[ONNX_RUNTIME_NAMES["cpu"]], enable_fallback=False
            )
        except Exception as error:
            raise GraphError("the tensors inside it cannot be computed") from error
        if len(self._sessions) == _KEPT:
            self._sessions.clear()
        self._sessions[added] = session
        return session

    def _content(self) -> bytes:
        try:
            content = self._source.path.read_bytes()
        except OSError:
            raise UnavailableError(
                "the file of this model is not there any more, so it cannot be looked into"
            ) from None
        if hashlib.sha256(content).hexdigest() != self._source.sha256:
            raise UnavailableError("this model's file has changed since it was loaded, so it cannot be looked into")
        return content

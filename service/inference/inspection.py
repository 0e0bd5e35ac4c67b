"""Reads a served model's file again: its graph, and its inner tensors for one picture, computed on the CPU.

The file is read at the first request for it, and must still be the one that is served. The session is kept until the
model is unloaded; it has one thread, so that it takes at most one core from predictions.
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
from service.regular_file import read_regular

_KEPT: Final = 2  # most sessions; each has another set of outputs


@dataclass(frozen=True, slots=True)
class ModelSource:
    """The file that a model was loaded from.

    Attributes:
        path: of the file.
        sha256: of its content at that time, in hexadecimal digits.
        length: of its content at that time, in bytes.
    """

    path: Path
    sha256: str
    length: int

    @classmethod
    def of(cls, path: Path, content: bytes) -> "ModelSource":
        """The source of a model that is loaded from this file."""
        return cls(path, hashlib.sha256(content).hexdigest(), len(content))


class Inspection:
    """Computes inner tensors of one served model. Its methods block, and may be called in any thread.

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
        """Path of the file, which may have been removed since."""
        return self._source.path

    def graph(self) -> Graph:
        """The model's graph.

        Raises:
            UnavailableError: the file was removed, or has changed.
            GraphError: the graph cannot be read here.
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
            added: those of them that are not outputs of the graph.

        Returns:
            An array for each name.

        Raises:
            UnavailableError: the file was removed, or has changed.
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
            content = read_regular(self._source.path, self._source.length)
        except OSError:
            raise UnavailableError("the file of this model was removed, so the model cannot be explained") from None
        except (ValueError, OverflowError):  # a pipe or a longer file is in its place
            content = b""
        if hashlib.sha256(content).hexdigest() != self._source.sha256:
            raise UnavailableError("the file of this model has changed since, so the model cannot be explained")
        return content

"""Runs of an ONNX Runtime session on the CPU, which another thread can interrupt."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from contract import FAMILIARITY_NAME, INPUT_NAME, OUTPUT_NAME
from service.errors import InferenceFailedError
from service.inference.runtime import onnxruntime

_NO_MESSAGES: Final = 4  # severity "fatal": interrupted runs are not logged; errors are still raised


class CpuRun:
    """Runs batches on the CPU; see :class:`service.inference.inference_threads.BatchRun`.

    Args:
        session: ONNX Runtime's. Several runs may share it.
        images_at_once: a larger batch is run in pieces of this size.
        classes: K.
        scores_familiarity: whether the graph has the output ``familiarity``, which becomes one more column.
    """

    def __init__(self, session: Any, *, images_at_once: int, classes: int, scores_familiarity: bool = False) -> None:
        self._session = session
        self._images_at_once = images_at_once
        self._classes = classes
        self._names = (OUTPUT_NAME, FAMILIARITY_NAME) if scores_familiarity else (OUTPUT_NAME,)
        self._options = onnxruntime.RunOptions()
        self._options.log_severity_level = _NO_MESSAGES

    def run(self, parts: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Computes one batch.

        Args:
            parts: uint8 arrays [n, H, W, C], which together are the batch of N images.

        Returns:
            float32 [N, K], or [N, K + 1] with familiarity.

        Raises:
            TimeoutError: :meth:`interrupt` was called.
            InferenceFailedError: the model gave an array of another shape.
            Exception: any error of ONNX Runtime; its exceptions have no common base class.
        """
        images = parts[0] if len(parts) == 1 else np.concatenate(parts)
        if len(images) <= self._images_at_once:
            return self._run_piece(images)
        starts = range(0, len(images), self._images_at_once)
        return np.concatenate([self._run_piece(images[start : start + self._images_at_once]) for start in starts])

    def interrupt(self) -> None:
        """Ends this run, and all later ones, before the next node; a node that has begun is finished."""
        self._options.terminate = True

    def reset(self) -> None:
        """Ends the effect of :meth:`interrupt`."""
        self._options.terminate = False

    def _run_piece(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        try:
            rows: NDArray[np.float32]
            rows, *scores = self._session.run(self._names, {INPUT_NAME: images}, self._options)
        except Exception as error:
            if self._options.terminate:
                raise TimeoutError("the run was interrupted") from error
            raise
        if rows.shape != (len(images), self._classes):
            raise InferenceFailedError(
                f"the model gave an array of shape {rows.shape} for {len(images)} images, "
                f"not ({len(images)}, {self._classes})"
            )
        if not scores:
            return rows
        if scores[0].shape != (len(images),):
            raise InferenceFailedError(
                f"the model gave {scores[0].shape} scores of familiarity for {len(images)} images"
            )
        return np.column_stack((rows, scores[0]))

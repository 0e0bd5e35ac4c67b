"""TensorBoard logs: the figures of each epoch, in an event file that TensorBoard reads.

TensorFlow alone writes the file. To view it, install TensorBoard: ``pip install tensorboard``, then
``tensorboard --logdir DIR``.
"""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from training.errors import RunError
from training.files import reason

_FILE_VERSION = "brain.Event:2"


class EventLog(keras.callbacks.Callback):  # type: ignore[misc]  # Keras has no types
    """Writes training and validation figures and the learning rate after each epoch.

    A resumed run writes a second file into the same folder; TensorBoard shows both files as one curve.

    Args:
        directory: the folder of the file; it is made where it is missing.
    """

    def __init__(self, directory: Path) -> None:
        super().__init__()
        self._path = directory / f"events.out.tfevents.{time.time_ns()}"

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:  # noqa: ARG002
        """Opens the file.

        Raises:
            RunError: it cannot be written.
        """
        self._attempt(lambda: self._path.parent.mkdir(parents=True, exist_ok=True))
        self._writer = self._attempt(lambda: tf.io.TFRecordWriter(str(self._path)))
        self._write(tf.compat.v1.Event(wall_time=time.time(), file_version=_FILE_VERSION))

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Writes one value a figure, with the epoch, counted from 1, as its step.

        Raises:
            RunError: the file cannot be written.
        """
        figures = {**(logs or {}), "learning_rate": np.asarray(self.model.optimizer.learning_rate)}
        values = [tf.compat.v1.Summary.Value(tag=name, simple_value=float(figures[name])) for name in sorted(figures)]
        summary = tf.compat.v1.Summary(value=values)
        self._write(tf.compat.v1.Event(wall_time=time.time(), step=epoch + 1, summary=summary))

    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:  # noqa: ARG002
        """Closes the file.

        Raises:
            RunError: it cannot be written.
        """
        self._attempt(self._writer.close)

    def _write(self, event: tf.compat.v1.Event) -> None:
        self._attempt(lambda: self._writer.write(event.SerializeToString()))
        self._attempt(self._writer.flush)

    def _attempt(self, step: Callable[[], Any]) -> Any:
        try:
            return step()
        except tf.errors.OpError as error:
            raise RunError(f"{self._path} cannot be written ({error.message})") from error
        except OSError as error:
            raise RunError(f"{self._path} cannot be written ({reason(error)})") from error

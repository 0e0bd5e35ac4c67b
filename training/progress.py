"""The terminal output of training: a bar with loss, accuracy and time left, and a line for each epoch."""

import sys
import time
from collections.abc import Mapping
from typing import Any

import keras
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

_REFRESH_S = 0.2


class Progress(keras.callbacks.Callback):  # type: ignore[misc]  # Keras has no types
    """Draws the bar on a terminal, and prints one line an epoch anywhere.

    Args:
        epochs: of the whole run.
        epochs_done: before this process began.
    """

    def __init__(self, epochs: int, epochs_done: int) -> None:
        super().__init__()
        self._epochs = epochs
        self._first = epochs_done
        self._console = Console(file=sys.stdout, highlight=False, soft_wrap=True)
        self._bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("loss {task.fields[loss]:.4f}  accuracy {task.fields[accuracy]:.4f}  left"),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._began = 0.0
        self._drawn = 0.0

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:  # noqa: ARG002
        """Says where the run begins, and starts the bar, which counts the steps of the whole run."""
        if self._first:
            self._console.print(f"resuming after epoch {self._first}/{self._epochs}")
        steps = self.params["steps"]
        self._task = self._bar.add_task(
            "", total=steps * self._epochs, completed=steps * self._first, loss=0, accuracy=0
        )
        self._began = time.monotonic()
        self._bar.start()

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:  # noqa: ARG002
        """Names the epoch in the bar."""
        self._bar.update(self._task, description=f"epoch {epoch + 1}/{self._epochs}")

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:  # noqa: ARG002
        """Advances the bar; updates the figures only a few times a second, because reading them waits for the step."""
        self._bar.advance(self._task)
        now = time.monotonic()
        if logs and not self._bar.disable and now - self._drawn > _REFRESH_S:
            self._drawn = now
            self._bar.update(self._task, loss=float(logs["loss"]), accuracy=float(logs["accuracy"]))

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Prints the epoch's figures."""
        figures = dict(logs or {})
        validated = (
            f"  val_loss {figures['val_log_loss']:.4f}  val_accuracy {figures['val_accuracy']:.4f}"
            if "val_log_loss" in figures
            else ""
        )
        done, elapsed = epoch + 1 - self._first, time.monotonic() - self._began
        left = elapsed / done * (self._epochs - epoch - 1)
        self._console.print(
            f"epoch {epoch + 1}/{self._epochs}"
            f"  loss {figures['loss']:.4f}  accuracy {figures['accuracy']:.4f}"
            f"{validated}  {elapsed / done:.1f} s/epoch  {left / 60:.1f} min left"
        )

    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:  # noqa: ARG002
        """Removes the bar."""
        self._bar.stop()

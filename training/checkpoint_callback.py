"""The Keras callback that keeps the best or the last weights and saves a run's state after each epoch."""

import math
import time
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from training.recipes.recipe import Kept
from training.run_directory import RunDirectory, State

_RECORDED = {
    "loss": "loss",
    "accuracy": "accuracy",
    "val_log_loss": "val_loss",
    "val_accuracy": "val_accuracy",
}


class Checkpointing(keras.callbacks.Callback):  # type: ignore[misc]  # Keras has no types
    """Updates ``state`` and saves it after each epoch.

    Args:
        run: where to save.
        state: updated in place.
        keep_epoch: the epoch, counted from 1, that counts as the best one where nothing is validated.
        keeps: which validated epoch counts as the best one.
    """

    def __init__(self, run: RunDirectory, state: State, keep_epoch: int | None = None, keeps: Kept = "best") -> None:
        super().__init__()
        self._keeps = keeps
        self._keep_epoch = keep_epoch
        self._run = run
        self._state = state
        self._began = 0.0

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:  # noqa: ARG002
        """Starts the epoch's clock."""
        self._began = time.monotonic()

    def on_test_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """Keeps the weights that were just validated, unless the best are wanted and earlier ones had a lower loss."""
        loss = float((logs or {})["log_loss"])
        if loss < self._state.best_loss or (self._keeps == "last" and math.isfinite(loss)):
            self._state.best_loss = loss
            self._state.best = self.model.get_weights()
            self._state.best_epoch = self._state.epochs_done + 1

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Saves everything that the next epoch depends on."""
        state, figures = self._state, dict(logs or {})
        state.epochs_done = epoch + 1
        state.network = [np.asarray(variable) for variable in self.model.variables]
        state.optimizer = [np.asarray(variable) for variable in self.model.optimizer.variables]
        if state.epochs_done == self._keep_epoch:
            state.best, state.best_epoch = self.model.get_weights(), state.epochs_done
        epoch_figures = {ours: float(figures[theirs]) for theirs, ours in _RECORDED.items() if theirs in figures}
        epoch_figures["learning_rate"] = float(np.asarray(self.model.optimizer.learning_rate))
        epoch_figures["seconds"] = time.monotonic() - self._began
        for name, value in epoch_figures.items():
            state.history.setdefault(name, []).append(value)
        self._run.save(state)

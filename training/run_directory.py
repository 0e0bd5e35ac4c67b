"""A run's state on disk, from which a killed run continues as if it had not been killed.

One ``checkpoint.npz`` in the run directory holds the network's weights and random state, the optimizer's state (with
the moving average of the weights, where the recipe keeps one), the weights kept so far, and the history. It is
replaced atomically after each epoch; ``run.json`` beside it says which run it belongs to.
"""

import fcntl
import io
import json
import math
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.errors import RunError
from training.files import MEBIBYTE, read_file, reason, write_atomically

_MAX_CHECKPOINT_BYTES = 4096 * MEBIBYTE
_MAX_IDENTITY_BYTES = MEBIBYTE
_GROUPS = ("network", "optimizer", "best")

History = dict[str, list[float]]
Arrays = Sequence[NDArray[Any]]


@dataclass(slots=True)
class State:
    """The state of a run after some whole epochs.

    Attributes:
        epochs_done: whole epochs trained.
        network: every variable of the network, in Keras' order.
        optimizer: every variable of the optimizer, in Keras' order.
        best: the network's weights to be kept: with the least validation loss so far; the last validated ones where the
            recipe keeps the last; or those of ``keep_epoch`` of :func:`training.fit.fit`.
        best_epoch: the epoch that they are from, counted from 1; 0 before the first.
        best_loss: validation loss there, in nats; infinite where nothing is validated.
        history: loss, accuracy, val_loss, val_accuracy, learning_rate and seconds, one value an epoch.
    """

    epochs_done: int = 0
    network: Arrays = ()
    optimizer: Arrays = ()
    best: Arrays = ()
    best_epoch: int = 0
    best_loss: float = float("inf")
    history: History = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RunDirectory:
    """The folder of one run.

    Attributes:
        path: of the folder; made where it is missing.
        identity: of :func:`training.fit.run_identity`. A checkpoint is used only where it was saved with an equal one.
    """

    path: Path
    identity: dict[str, Any]

    @property
    def checkpoint(self) -> Path:
        """The state after the last whole epoch."""
        return self.path / "checkpoint.npz"

    def load(self) -> State | None:
        """The state to resume from, or None where the run is new.

        Raises:
            RunError: the folder belongs to another run, or its checkpoint is damaged.
        """
        if not self.checkpoint.exists():
            return None
        self._check_identity()
        try:
            content = read_file(self.checkpoint, _MAX_CHECKPOINT_BYTES)
            # numpy warns about foreign headers, and its header parser raises errors of many kinds.
            with warnings.catch_warnings(action="ignore"):
                return _read_state(content)
        except OSError as error:
            raise RunError(f"{self.checkpoint} cannot be read ({reason(error)}): {self._remedy}") from error
        except Exception as error:
            raise RunError(f"{self.checkpoint} is damaged: {self._remedy}") from error

    def save(self, state: State) -> None:
        """Replaces the checkpoint; a kill at any moment leaves the old or the new one, whole.

        Raises:
            RunError: it cannot be written; the old checkpoint stays.
        """
        groups = {"network": state.network, "optimizer": state.optimizer, "best": state.best}
        facts = {
            "epochs_done": state.epochs_done,
            "best_epoch": state.best_epoch,
            "best_loss": state.best_loss,
            "history": state.history,
        } | {f"{group}_arrays": len(arrays) for group, arrays in groups.items()}
        named = {f"{group}/{number}": array for group, arrays in groups.items() for number, array in enumerate(arrays)}
        content = io.BytesIO()
        np.savez(content, allow_pickle=False, facts=np.array(json.dumps(facts)), **named)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            write_atomically(self.path / "run.json", json.dumps(self.identity, indent=2).encode())
            write_atomically(self.checkpoint, content.getbuffer())
        except OSError as error:
            raise RunError(f"the checkpoint cannot be written to {self.path} ({reason(error)})") from error

    def discard(self) -> None:
        """Deletes the checkpoint, so that the run begins again."""
        self.checkpoint.unlink(missing_ok=True)

    @property
    def _remedy(self) -> str:
        return f"delete {self.path}, or train with --fresh"

    def _check_identity(self) -> None:
        path = self.path / "run.json"
        try:
            written: Any = json.loads(read_file(path, _MAX_IDENTITY_BYTES))
        except OSError as error:
            raise RunError(f"{path} cannot be read ({reason(error)}): train with --fresh") from error
        except (ValueError, RecursionError) as error:
            raise RunError(f"{path} is not JSON: train with --fresh") from error
        if not isinstance(written, dict):
            raise RunError(f"{path} does not say which run it belongs to: train with --fresh")
        ours = json.loads(json.dumps(self.identity))
        differing = sorted(key for key in {*ours, *written} if ours.get(key) != written.get(key))
        if differing:
            raise RunError(
                f"{self.path} holds a run with another {', '.join(differing)}: "
                "give another --run-dir, or --fresh to begin again"
            )


@contextmanager
def used_alone(path: Path) -> Iterator[None]:
    """Keeps a second training out of a run directory, where both would write the same files.

    Raises:
        RunError: another training uses it.
        OSError: it cannot be written.
    """
    path.mkdir(parents=True, exist_ok=True)
    with (path / ".lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the system frees it when the process ends
        except BlockingIOError:
            raise RunError(f"another training uses {path}: wait for its end, or give another --run-dir") from None
        yield


def _read_state(content: bytes) -> State:
    """Reads a checkpoint; an exception of any kind means that the file is damaged.

    Raises:
        ValueError: it holds something else than :meth:`RunDirectory.save` writes.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = archive.infolist()
        # save() compresses nothing; without compression the arrays are no larger than the file.
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
            raise ValueError("an array is compressed")
        if sum(entry.file_size for entry in entries) > len(content):
            raise ValueError("its arrays overlap")
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        facts = json.loads(str(arrays["facts"]))
        network, optimizer, best = (
            [arrays[f"{group}/{number}"] for number in range(facts.pop(f"{group}_arrays"))] for group in _GROUPS
        )
    state = State(network=network, optimizer=optimizer, best=best, **facts)
    epochs, history = state.epochs_done, state.history
    if not (type(epochs) is int and type(state.best_epoch) is int and 0 <= state.best_epoch <= epochs):
        raise ValueError("its epochs are not counted")
    if not isinstance(state.best_loss, float) or math.isnan(state.best_loss):
        raise ValueError("its best loss is no number")
    figures = history.values()
    if not all(len(values) == epochs and all(isinstance(value, float) for value in values) for values in figures):
        raise ValueError("its history has not a number for each epoch")
    return state

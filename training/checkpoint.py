"""A run's state on disk, whole or not at all: what a killed run needs to end as if it had not been.

One ``checkpoint.npz`` in the run directory holds the network's weights and random state, the optimizer's state (with
the moving average of the weights, where the recipe keeps one), the best weights so far, and the history. It is
replaced atomically after each epoch; ``run.json`` beside it says which run it belongs to.
"""

import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.errors import RunError

History = dict[str, list[float]]
Arrays = Sequence[NDArray[Any]]


@dataclass(slots=True)
class State:
    """Where a run stands after some whole epochs.

    Attributes:
        epochs_done: whole epochs trained.
        network: every variable of the network, in Keras' order.
        optimizer: every variable of the optimizer, in Keras' order.
        best: the network's weights at its best validation loss.
        best_epoch: counted from 1; 0 before the first.
        best_loss: validation loss there, in nats.
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
        identity: recipe, seed and data fingerprint: what must be equal for a checkpoint to be gone on with.
    """

    path: Path
    identity: dict[str, Any]

    @property
    def checkpoint(self) -> Path:
        """The state after the last whole epoch."""
        return self.path / "checkpoint.npz"

    def load(self) -> State | None:
        """The state to go on from, or None where the run is new.

        Raises:
            RunError: the folder belongs to another run, or its checkpoint is damaged.
        """
        if not self.checkpoint.exists():
            return None
        self._check_identity()
        try:
            with self.checkpoint.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                facts = json.loads(str(arrays["facts"]))
                groups = {
                    group: [arrays[f"{group}/{number}"] for number in range(facts.pop(f"{group}_arrays"))]
                    for group in ("network", "optimizer", "best")
                }
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise RunError(
                f"{self.checkpoint} is damaged ({error}): delete {self.path}, or train with --fresh"
            ) from error
        network, optimizer, best = groups["network"], groups["optimizer"], groups["best"]
        return State(network=network, optimizer=optimizer, best=best, **facts)

    def save(self, state: State) -> None:
        """Replaces the checkpoint; a kill at any moment leaves the old or the new one, whole."""
        self.path.mkdir(parents=True, exist_ok=True)
        _write_atomically(self.path / "run.json", json.dumps(self.identity, indent=2).encode())
        groups = {"network": state.network, "optimizer": state.optimizer, "best": state.best}
        facts = {
            "epochs_done": state.epochs_done,
            "best_epoch": state.best_epoch,
            "best_loss": state.best_loss,
            "history": state.history,
        } | {f"{group}_arrays": len(arrays) for group, arrays in groups.items()}
        named = {f"{group}/{number}": array for group, arrays in groups.items() for number, array in enumerate(arrays)}
        partial = self.path / "checkpoint.partial.npz"
        np.savez(partial, allow_pickle=False, facts=np.array(json.dumps(facts)), **named)
        partial.replace(self.checkpoint)

    def discard(self) -> None:
        """Forgets the checkpoint, so that the run begins anew."""
        self.checkpoint.unlink(missing_ok=True)

    def _check_identity(self) -> None:
        try:
            written: Any = json.loads((self.path / "run.json").read_text())
        except (OSError, ValueError) as error:
            raise RunError(f"{self.path / 'run.json'} cannot be read ({error}): train with --fresh") from error
        ours = json.loads(json.dumps(self.identity))
        differing = sorted(key for key in {*ours, *written} if ours.get(key) != written.get(key))
        if differing:
            raise RunError(
                f"{self.path} holds a run with another {', '.join(differing)}: "
                "give another --run-dir, or --fresh to begin anew"
            )


def _write_atomically(path: Path, content: bytes) -> None:
    partial = path.with_suffix(".partial")
    partial.write_bytes(content)
    partial.replace(path)

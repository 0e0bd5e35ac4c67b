"""One batch: parts of entries that go into one run."""

import math
import traceback
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.batching.queue_entry import QueueEntry
from service.errors import InferenceFailedError


class Part(NamedTuple):
    """Images ``start`` to ``stop`` of one entry."""

    entry: QueueEntry
    start: int
    stop: int


def _do_nothing() -> None: ...


class Batch:
    """The images of one run, and the entries that wait for its rows.

    Args:
        parts: at least one, in the order of the queue.

    Attributes:
        size: how many images.
        stop_run: ends the run early where it is in a thread; does nothing otherwise.
    """

    __slots__ = ("parts", "size", "stop_run")

    def __init__(self, parts: list[Part]) -> None:
        self.parts = parts
        self.size = sum(stop - start for _, start, stop in parts)
        self.stop_run: Callable[[], None] = _do_nothing

    def images(self) -> list[NDArray[np.uint8]]:
        """The images of each part, uint8 [n, H, W, C]: views, together ``size`` images."""
        return [entry.images[start:stop] for entry, start, stop in self.parts]

    def is_needed(self) -> bool:
        """Whether any entry still waits for the rows."""
        return not all(part.entry.future.done() for part in self.parts)

    def answer(
        self, outcome: NDArray[np.float32] | Exception, inference_s: float, model: str
    ) -> tuple[NDArray[np.float32] | None, int]:
        """Gives each entry its rows, or the reason why it gets none.

        Args:
            outcome: of the run: float32 [size, K], or the error that it raised.
            inference_s: seconds that the run took.
            model: name of the model, for messages.

        Returns:
            The finite rows, None where the run raised an error, and the number of rows that are not finite. Entries
            with such a row get an error, the others are answered.
        """
        self.stop_run = _do_nothing  # the function before refers to this batch: a reference cycle
        if isinstance(outcome, Exception):
            # The frames of the traceback hold this batch, so error and images would form a reference cycle.
            outcome.add_note("".join(traceback.format_tb(outcome.__traceback__)))
            outcome.__traceback__ = None
            for part in self.parts:
                error = InferenceFailedError(f"model {model} failed on the batch that this request was in")
                error.__cause__ = outcome
                part.entry.fail(error)
            return None, 0
        if math.isfinite(np.vdot(outcome, outcome)):  # takes half the time of np.isfinite(outcome).all()
            self._deliver(outcome, inference_s)
            return outcome, 0
        is_finite = np.logical_and.reduce(np.isfinite(outcome), axis=1)
        self._fail_rows(~is_finite, f"model {model} gave values that are not finite for an image of this request")
        self._deliver(outcome, inference_s)
        return outcome[is_finite], self.size - int(is_finite.sum())

    def _fail_rows(self, is_bad: NDArray[np.bool_], message: str) -> None:
        offset = 0
        for entry, start, stop in self.parts:
            count = stop - start
            if is_bad[offset : offset + count].any():
                entry.fail(InferenceFailedError(message))
            offset += count

    def _deliver(self, rows: NDArray[np.float32], inference_s: float) -> None:
        """Gives each entry its rows; an entry that has failed ignores them."""
        offset = 0
        for entry, start, stop in self.parts:
            count = stop - start
            entry.accept(rows[offset : offset + count], start, inference_s, self.size)
            offset += count

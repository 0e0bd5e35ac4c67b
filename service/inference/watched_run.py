"""Interrupts a run in the event loop that takes far longer than expected.

Only runs that are expected to take a few milliseconds are made in the event loop. But the time of a run can depend on
the content of the images, so earlier measurements do not limit it. A thread checks every 16 ms which run is in
progress, and interrupts it if it is the same as at the last check. ONNX Runtime releases the GIL while it computes, so
the run does not delay the thread. While there are no runs, the thread sleeps.
"""

import threading
import time
import weakref
from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from service.inference.inference_threads import BatchRun, Parts

_INTERVAL_S: Final = 16e-3  # each check interrupts the event loop: 125 checks a second took 2 % of its time
_SLEEP_AFTER_LOOKS: Final = 60  # checks: about a second without runs


class WatchedRun:
    """Runs batches in the event loop. The watching thread ends when this object is freed.

    Args:
        run: computes the batches; used by this object only.
    """

    def __init__(self, run: BatchRun) -> None:
        self._run = run
        self._state = _State()
        weakref.finalize(self, self._state.close)
        # The thread must not refer to this object; otherwise this object would never be freed.
        arguments = (self._state, run.interrupt)
        threading.Thread(target=_watch, args=arguments, name="run-watch", daemon=True).start()

    def run(self, parts: Parts) -> NDArray[np.float32]:
        """Computes one batch.

        Args:
            parts: uint8 arrays [n, H, W, C], which together are the batch of N images.

        Returns:
            float32 [N, K], or [N, K + 1] with familiarity.

        Raises:
            TimeoutError: the run took longer than 16 to 32 ms.
            Exception: any error of the run.
        """
        state = self._state
        self._run.reset()
        state.run_number += 1
        state.is_running = True
        if state.is_asleep:
            state.is_asleep = False
            state.wake.set()
        try:
            return self._run.run(parts)
        finally:
            state.is_running = False


class _State:
    """State that the event loop shares with the watching thread."""

    def __init__(self) -> None:
        self.run_number = 0
        self.is_running = False
        self.is_asleep = True
        self.is_closed = False
        self.wake = threading.Event()

    def close(self) -> None:
        self.is_closed = True
        self.wake.set()


def _watch(state: _State, interrupt: Callable[[], None]) -> None:
    while True:
        state.wake.wait()
        state.wake.clear()
        number, quiet_looks = 0, 0
        while quiet_looks < _SLEEP_AFTER_LOOKS:
            if state.is_closed:
                return
            time.sleep(_INTERVAL_S)
            if state.run_number != number:
                number, quiet_looks = state.run_number, 0
            elif state.is_running:
                interrupt()  # the second check finds the same run, so it has taken 16 to 32 ms
            else:
                quiet_looks += 1
        state.is_asleep = True
        if state.run_number != number:  # a run began before it could see that this thread is asleep
            state.is_asleep = False
            state.wake.set()

"""Decides which runs are short enough for the event loop, from the measured times of each batch size.

A run in the event loop blocks everything else. So a batch is run there only where runs of its size, or of a larger one,
have been measured and are short. The time cannot be estimated from another size's time per image: the first layer of a
network, or starting work on a GPU, may take as long for 1 image as for 256.

A run can also take longer than all runs before it, if its time depends on the content of the images. After such a run,
a number of runs is made in the thread, and this number doubles each time that it happens again.
"""

from math import inf
from typing import Final

_SMOOTHING: Final = 0.1
_SMOOTHING_DOWN: Final = 0.5
"""Shorter times have more weight than longer ones, since other work on the machine can only make a run longer."""
_RUNS_TO_BE_KNOWN: Final = 3
_OVERRUN_S: Final = 20e-3
_LEAST_PENALTY_RUNS: Final = 32
_MOST_PENALTY_RUNS: Final = 1 << 20
_FORGIVEN_AFTER: Final = 50  # times the last penalty


class RunTimes:
    """Learns how long the runs of one model take. Batch sizes are grouped by powers of two.

    Args:
        max_batch_size: most images in one run.
        seconds_per_image: of a run of that size, as measured when the model was loaded.
        loop_budget_s: longest run in the event loop; 0 allows none.

    Attributes:
        seconds_per_image: moving average over the latest runs of all sizes.
        are_all_short: whether a run of any size may be made in the event loop.
    """

    def __init__(self, *, max_batch_size: int, seconds_per_image: float, loop_budget_s: float) -> None:
        self.seconds_per_image = seconds_per_image
        self._budget_s = loop_budget_s
        groups = _group(max_batch_size) + 1
        self._times_s = [inf] * groups
        self._runs = [0] * groups
        self._times_s[-1] = max_batch_size * seconds_per_image
        self._runs[-1] = _RUNS_TO_BE_KNOWN
        self._is_short = [False] * groups
        self._runs_in_thread_left = 0
        self._find_short()
        self._penalty_runs = _LEAST_PENALTY_RUNS
        self._runs_since_overrun = 0

    def is_short(self, size: int) -> bool:
        """Whether a run of ``size`` images may be made in the event loop."""
        return not self._runs_in_thread_left and self._is_short[_group(size)]

    def add(self, size: int, seconds: float, *, is_in_loop: bool) -> None:
        """Learns from one run.

        Args:
            size: images.
            seconds: that it took; of a run that was ended early, the seconds until then.
            is_in_loop: whether it was made in the event loop.
        """
        self.seconds_per_image += _SMOOTHING * (seconds / size - self.seconds_per_image)
        group = _group(size)
        expected_s = self._times_s[group]
        was_short = expected_s <= self._budget_s
        if self._runs[group] < _RUNS_TO_BE_KNOWN:
            self._runs[group] += 1
            self._times_s[group] = min(expected_s, seconds)
            self._find_short()
        else:
            smoothing = _SMOOTHING if seconds > expected_s else _SMOOTHING_DOWN
            self._times_s[group] = expected_s + smoothing * (seconds - expected_s)
            if was_short != (self._times_s[group] <= self._budget_s):
                self._find_short()
        if not is_in_loop:
            if self._runs_in_thread_left:
                self._runs_in_thread_left -= 1
                self.are_all_short = self._is_short[-1] and not self._runs_in_thread_left
        elif seconds > _OVERRUN_S:
            self._punish()
        else:
            self._runs_since_overrun += 1

    def _find_short(self) -> None:
        """Finds the short groups: by their own measured time, or else by that of the next larger measured group."""
        is_short = False
        for group in reversed(range(len(self._times_s))):
            if self._runs[group] >= _RUNS_TO_BE_KNOWN:
                is_short = 0 < self._budget_s >= self._times_s[group]
            self._is_short[group] = is_short
        self.are_all_short = self._is_short[-1] and not self._runs_in_thread_left

    def _punish(self) -> None:
        if self._runs_since_overrun > _FORGIVEN_AFTER * self._penalty_runs:
            self._penalty_runs = _LEAST_PENALTY_RUNS
        self._runs_in_thread_left, self.are_all_short = self._penalty_runs, False
        self._penalty_runs = min(2 * self._penalty_runs, _MOST_PENALTY_RUNS)
        self._runs_since_overrun = 0


def _group(size: int) -> int:
    """0 for 1 image, 1 for 2, 2 for 3 and 4, 3 for 5 to 8."""
    return (size - 1).bit_length()

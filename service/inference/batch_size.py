"""Finds the largest useful number of images in one run on the CPU, by measuring the model.

A batch saves the constant cost of each run, which for a small network is most of the time. A large network gains
little, and its requests wait for each other: 32 images of ResNet-50 take 0.84 s on two cores, 26 ms each, where one
image alone takes 30 ms, and each of two together 28 ms. So the batch size grows while runs are short or the time per
image still falls, by more where the wait would be long::

    1 image ─> 2 ─> 4 ─> ... until a run takes over  20 ms and its time per image is not 1/20 less than in the last one,
                             or                     100 ms and it is not 1/5 less
"""

from collections.abc import Callable
from typing import Final

_SHORT_RUN_S: Final = 20e-3
_LONG_RUN_S: Final = 100e-3
_LEAST_GAIN: Final = 0.05
_LEAST_GAIN_OF_LONG_RUN: Final = 0.2


def useful_batch_size(seconds_of: Callable[[int], float], most: int) -> int:
    """The largest number of images for which one run is faster per image than smaller runs.

    Args:
        seconds_of: measures a run of so many images.
        most: images in the largest run that is allowed.

    Returns:
        From 1 to ``most``: a power of two, or ``most``.
    """
    size, seconds = 1, seconds_of(1)
    if seconds * most <= _SHORT_RUN_S:
        return most  # even the largest run is short, so nothing more needs to be measured
    while size < most:
        larger = min(2 * size, most)
        larger_s = seconds_of(larger)
        least_gain = _LEAST_GAIN if larger_s <= _LONG_RUN_S else _LEAST_GAIN_OF_LONG_RUN
        if larger_s > _SHORT_RUN_S and larger_s / larger > (1 - least_gain) * seconds / size:
            break
        size, seconds = larger, larger_s
    return size

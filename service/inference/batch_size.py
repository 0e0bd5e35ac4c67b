"""How many images one run on the CPU should have, found by measuring the model.

A batch saves what each run costs beside its images: on a small network that is most of the time. A large network gains
nothing, and its requests only wait for each other: 32 images of ResNet-50 take 1.2 s on two cores, 36 ms each, and one
alone takes 39 ms. So batches grow while they are short or while each image still gets faster::

    1 image ─> 2 ─> 4 ─> ... until a run is longer than 20 ms and an image in it not a fifth faster than in the last one
"""

from collections.abc import Callable
from typing import Final

_SHORT_RUN_S: Final = 20e-3
_LEAST_GAIN: Final = 0.2


def useful_batch_size(seconds_of: Callable[[int], float], most: int) -> int:
    """The largest number of images that is worth a run of its own.

    Args:
        seconds_of: measures a run of so many images.
        most: images in the largest run that is allowed.

    Returns:
        From 1 to ``most``: a power of two, or ``most``.
    """
    size, seconds = 1, seconds_of(1)
    if seconds * most <= _SHORT_RUN_S:
        return most  # longer than that it can hardly be: nothing needs to be measured
    while size < most:
        larger = min(2 * size, most)
        larger_s = seconds_of(larger)
        if larger_s > _SHORT_RUN_S and larger_s / larger > (1 - _LEAST_GAIN) * seconds / size:
            break
        size, seconds = larger, larger_s
    return size

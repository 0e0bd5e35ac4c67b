"""The batch sizes for which a GPU is prepared, called buckets.

A captured CUDA graph, a tuned convolution and a device buffer can each be used for one batch size only. So a batch is
padded to the next larger of a few sizes: powers of two, and the largest batch. At most half of a run is padding, and on
a GPU a run of one image takes about as long as one of 32.
"""

from bisect import bisect_left


def bucket_sizes(max_batch_size: int) -> tuple[int, ...]:
    """Powers of two below ``max_batch_size``, and itself, ascending.

    Args:
        max_batch_size: most images in one run, at least 1.

    Returns:
        The sizes; for 6 they are (1, 2, 4, 6).
    """
    return (*(1 << power for power in range((max_batch_size - 1).bit_length())), max_batch_size)


def bucket_of(images: int, sizes: tuple[int, ...]) -> int:
    """The smallest size that holds ``images``.

    Args:
        images: at least 1, at most the largest size.
        sizes: ascending.

    Returns:
        One of ``sizes``.
    """
    return sizes[bisect_left(sizes, images)]

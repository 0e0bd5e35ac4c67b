"""Random changes to a batch of pictures, as one resampling: shift, turn, scale, slant, bend, mirror.

For each output pixel the source position in the picture is computed, and the four pixels there are interpolated
bilinearly. All changes are composed into that one position, so a picture is blurred once at most. All random numbers
come from the given numpy generator: the same generator state gives the same pictures.
"""

import math

import numpy as np
from numpy.typing import NDArray

from training.recipes.recipe import Augmentation

Pictures = NDArray[np.float32]


def augment(
    pictures: Pictures, how: Augmentation, rng: np.random.Generator, mirrored: NDArray[np.bool_] | None = None
) -> Pictures:
    """Changes each picture at random.

    Args:
        pictures: float32 [N, H, W, C], 0 to 1.
        how: what may change, and how far.
        rng: the source of all random numbers.
        mirrored: which pictures are mirrored if ``how.flip`` is set, [N]; None for a random half.

    Returns:
        New pictures, float32 [N, H, W, C], 0 to 1.
    """
    if how.rotation or how.scale or how.shear or how.elastic:
        pictures = _resample(pictures, *_sources(pictures.shape, how, rng))
    elif how.shift:
        pictures = _shift(pictures, round(how.shift), rng)
    if how.flip:
        mirrored = rng.random(len(pictures)) < 0.5 if mirrored is None else mirrored
        pictures = np.where(mirrored[:, None, None, None], pictures[:, :, ::-1], pictures)
    if how.contrast:
        pictures = _contrast(pictures, how.contrast, rng)
    if how.cutout:
        pictures = _cutout(pictures, how.cutout, rng)
    return np.ascontiguousarray(pictures)


def _shift(pictures: Pictures, most: int, rng: np.random.Generator) -> Pictures:
    """Shifts by whole pixels; the uncovered border is filled with the picture's reflection."""
    count, height, width, _ = pictures.shape
    padded = np.pad(pictures, ((0, 0), (most, most), (most, most), (0, 0)), mode="reflect")
    top, left = rng.integers(0, 2 * most + 1, size=(2, count))
    rows = top[:, None] + np.arange(height)
    columns = left[:, None] + np.arange(width)
    moved: Pictures = padded[np.arange(count)[:, None, None], rows[:, :, None], columns[:, None, :]]
    return moved


def _contrast(pictures: Pictures, most: float, rng: np.random.Generator) -> Pictures:
    gain, brightness = rng.uniform(-most, most, size=(2, len(pictures), 1, 1, 1)).astype(np.float32)
    mean = pictures.mean(axis=(1, 2, 3), keepdims=True)
    changed: Pictures = np.clip((pictures - mean) * (1 + gain) + mean + brightness, 0.0, 1.0)
    return changed


def _cutout(pictures: Pictures, side: int, rng: np.random.Generator) -> Pictures:
    """Makes one square of each picture its mean colour; the square's centre is anywhere in the picture."""
    count, height, width, _ = pictures.shape
    top = rng.integers(0, height, size=(count, 1)) - side // 2
    left = rng.integers(0, width, size=(count, 1)) - side // 2
    rows, columns = np.arange(height), np.arange(width)
    in_rows = (rows >= top) & (rows < top + side)
    in_columns = (columns >= left) & (columns < left + side)
    square = in_rows[:, :, None] & in_columns[:, None, :]
    return np.where(square[..., None], pictures.mean(axis=(1, 2), keepdims=True), pictures)


def _sources(
    shape: tuple[int, ...], how: Augmentation, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The source position of each output pixel: (rows, columns), each float32 [N, H, W], in pixels."""
    count, height, width, _ = shape
    angle = np.deg2rad(rng.uniform(-how.rotation, how.rotation, count))
    scale_y, scale_x = 1 + rng.uniform(-how.scale, how.scale, (2, count))
    shear = rng.uniform(-how.shear, how.shear, count)
    shift_y, shift_x = rng.uniform(-how.shift, how.shift, (2, count))
    cosine, sine = np.cos(angle), np.sin(angle)
    y = (np.arange(height) - (height - 1) / 2)[:, None]
    x = (np.arange(width) - (width - 1) / 2)[None, :]

    def per_picture(factor: NDArray[np.float64]) -> NDArray[np.float64]:
        return factor[:, None, None]

    rows = per_picture(scale_y * cosine) * y + per_picture(scale_y * sine) * x + per_picture(shift_y)
    columns = per_picture(scale_x * (shear * cosine - sine)) * y + per_picture(scale_x * (cosine + shear * sine)) * x
    columns = columns + per_picture(shift_x)
    if how.elastic:
        bend = _smooth_noise((2, count, height, width), how.elastic_smoothness, rng) * how.elastic
        rows, columns = rows + bend[0], columns + bend[1]
    return (rows + (height - 1) / 2).astype(np.float32), (columns + (width - 1) / 2).astype(np.float32)


def _smooth_noise(shape: tuple[int, int, int, int], sigma: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Gaussian noise smoothed over its last two axes, standard deviation about 1 (away from the borders)."""
    blur_rows, blur_columns = (_gaussian_matrix(size, sigma) for size in shape[-2:])
    noise = rng.standard_normal(shape, dtype=np.float32)
    # White noise through a Gaussian of this width keeps 1 / (2 sqrt(pi) sigma) of its standard deviation in 2-D.
    smooth = (blur_rows @ noise @ blur_columns.T) * np.float32(2 * math.sqrt(math.pi) * sigma)
    return smooth.astype(np.float32)


def _gaussian_matrix(size: int, sigma: float) -> NDArray[np.float32]:
    distance = np.arange(size)[:, None] - np.arange(size)[None, :]
    return (np.exp(-0.5 * (distance / sigma) ** 2) / (sigma * math.sqrt(2 * math.pi))).astype(np.float32)


def _resample(pictures: Pictures, rows: NDArray[np.float32], columns: NDArray[np.float32]) -> Pictures:
    """Interpolates bilinearly; positions outside the picture are black."""
    count, height, width, channels = pictures.shape
    padded = np.pad(pictures, ((0, 0), (1, 2), (1, 2), (0, 0))).reshape(-1, channels)
    rows = (np.clip(rows, -1, height) + 1).astype(np.float32)
    columns = (np.clip(columns, -1, width) + 1).astype(np.float32)
    top, left = rows.astype(np.int32), columns.astype(np.int32)
    # float32 minus int32 would be float64, at twice the cost.
    down, right = (rows - top.astype(np.float32))[..., None], (columns - left.astype(np.float32))[..., None]
    stride = width + 3
    corner = (np.arange(count, dtype=np.int32) * (height + 3) * stride)[:, None, None] + top * stride + left
    upper = padded[corner] * (1 - right) + padded[corner + 1] * right
    lower = padded[corner + stride] * (1 - right) + padded[corner + stride + 1] * right
    blended: Pictures = upper * (1 - down) + lower * down
    return blended

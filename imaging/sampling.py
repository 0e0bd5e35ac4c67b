"""The resize without antialiasing, as TensorFlow and Keras resize tensors."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from contract import Interpolation

MOST_PROPORTION = 8
"""Ratio of the longer side to the shorter one; up to it, a picture is resized whole before it is cropped."""
_PART_PIXELS = 1 << 18

Box = tuple[float, float, float, float]
"""(left, top, right, bottom) in pixels of the picture."""

_Tap = tuple[NDArray[np.intp], NDArray[np.float32]]
"""For each pixel of the result, a place on one axis of the picture and its weight."""


def is_strip(longer: float, shorter: float) -> bool:
    """Whether a picture is so long that its short side is scaled first or only a part of it is made."""
    return longer > MOST_PROPORTION * shorter


def sample(
    picture: Image.Image, size: tuple[int, int], box: Box, method: Interpolation, *, is_cut: bool = False
) -> Image.Image:
    """Resizes a part of a picture: each pixel from the nearest 1, 2 or 4 along each axis.

    Source: tensorflow/core/kernels/image/scale_and_translate_op.cc and image_resizer_state.h (half-pixel centres).

    Args:
        picture: in mode RGB, RGBA, RGBa, L, LA, La or CMYK.
        size: (width, height) of the result, in pixels.
        box: the part.
        method: nearest, bilinear or bicubic.
        is_cut: whether the box, in whole pixels, is resized as a picture of its own: pixels beyond it have no weight,
            and it is black where it goes beyond the picture.
    """
    left, top, right, bottom = box
    has_alpha = picture.mode in {"RGBA", "LA"}
    ground = np.array(black(picture), np.uint8)
    down = 0, _taps(picture.height, top, bottom, size[1], method, is_cut=is_cut)
    across = 1, _taps(picture.width, left, right, size[0], method, is_cut=is_cut)
    # The columns of a strip become fewer first, so that no large array is made.
    first, second = (across, down) if is_strip(picture.width, picture.height) else (down, across)
    values = _sampled_axis(_array(picture), *first, ground, has_alpha=has_alpha)
    values = _sampled_axis(values, *second, ground)
    if has_alpha:
        values[..., :-1] *= 255 / np.maximum(values[..., -1:], 1)
    pixels = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return Image.fromarray(pixels if pixels.shape[2] > 1 else pixels[..., 0], picture.mode)


def black(picture: Image.Image) -> tuple[int, ...]:
    """Opaque black, one number a channel: [C]; in CMYK, the most of K."""
    return (0,) * (len(picture.getbands()) - 1) + (0 if picture.mode in {"RGB", "L"} else 255,)


def _array(picture: Image.Image) -> NDArray[np.uint8]:
    """The pixels, uint8 [H, W, C], copied a few rows at a time: Pillow joins them twice, and blocks other threads."""
    width, height = picture.size
    values = np.empty((height, width, len(picture.getbands())), np.uint8)
    rows = max(1, _PART_PIXELS // width)
    for top in range(0, height, rows):
        part = picture.crop((0, top, width, min(top + rows, height)))
        values[top : top + rows] = np.asarray(part).reshape(part.height, width, -1)
    return values


def _taps(length: int, start: float, stop: float, count: int, method: Interpolation, *, is_cut: bool) -> list[_Tap]:
    """The places that are added up for each of ``count`` pixels between two places of an axis, and their weights."""
    centres = start + (np.arange(count) + 0.5) * (stop - start) / count - 0.5
    low, high = (start, stop) if is_cut else (0, length)
    first = np.floor(centres)
    if method == "nearest":  # TensorFlow computes in float32, which decides where a centre is between two pixels
        first = start + np.floor((np.arange(count) + 0.5).astype(np.float32) * np.float32((stop - start) / count))
    places = [first + tap for tap in _TAPS[method]]
    weights = [_WEIGHTS[method](np.abs(centres - place)) for place in places]
    if method == "bicubic":  # it ignores pixels beyond the border and scales up the others; the linear one repeats it
        weights = [weight * ((place >= low) & (place < high)) for place, weight in zip(places, weights, strict=True)]
        whole = np.sum(weights, axis=0)
        weights = [weight / whole for weight in weights]
    rows = [np.clip(place, low, high - 1).astype(np.intp) for place in places]
    return [(row, weight.astype(np.float32)) for row, weight in zip(rows, weights, strict=True)]


def _sampled_axis(
    values: NDArray[np.generic], axis: int, taps: list[_Tap], ground: NDArray[np.uint8], *, has_alpha: bool = False
) -> NDArray[np.float32]:
    """Samples one axis; with ``has_alpha``, colours are multiplied by the last channel, alpha from 0 to 255, / 255."""
    length, count = values.shape[axis], len(taps[0][0])
    shape = [1, 1, 1]
    shape[axis] = count
    total = np.zeros([count if place == axis else side for place, side in enumerate(values.shape)], np.float32)
    for rows, weight in taps:
        taken = np.take(values, np.clip(rows, 0, length - 1), axis=axis)
        np.moveaxis(taken, axis, 0)[(rows < 0) | (rows >= length)] = ground
        if has_alpha:  # the colour of a transparent pixel must have no weight, as in Pillow's own filters
            taken = taken.astype(np.float32)
            taken[..., :-1] *= taken[..., -1:] / 255
        total += taken * weight.reshape(shape)
    return total


def _triangle(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.maximum(0, 1 - distance)


def _keys(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Keys' cubic with a = -0.5 (IEEE Trans. ASSP 29, 1981)."""
    near = (1.5 * distance - 2.5) * distance**2 + 1
    far = ((-0.5 * distance + 2.5) * distance - 4) * distance + 2
    return np.where(distance <= 1, near, np.where(distance < 2, far, 0))


_TAPS = {"nearest": (0,), "bilinear": (0, 1), "bicubic": (-1, 0, 1, 2)}
_WEIGHTS: Mapping[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    "nearest": np.ones_like,
    "bilinear": _triangle,
    "bicubic": _keys,
}

"""Scales and centres a drawn or photographed digit as the digits of MNIST were.

Its strokes are scaled, without distortion, to fit a square of 20/28 of the input, and are moved so that their centre of
mass is the centre of the input. Source: LeCun, Cortes and Burges, http://yann.lecun.com/exdb/mnist/.

::

    grey, any size -> at most 512 pixels -> light strokes on black -> box of the strokes -> 20 x 20 -> centre of mass
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imaging.fit import invert_if_light
from imaging.observation import Box
from imaging.target import Target

_SHARE = 20 / 28
_MOST_SIDE = 512
_INK = 0.2  # of the strongest stroke
_LEAST_CONTRAST = 16  # of 255 levels
_FRAME, _DARK_INSIDE = 0.95, 0.05


def reduce_strokes(picture: Image.Image) -> Image.Image:
    """Reduces a large picture to at most 512 pixels a side, before further pictures are made of it.

    Args:
        picture: in any mode that can be resized; it is changed.
    """
    picture.thumbnail((_MOST_SIDE, _MOST_SIDE), Image.Resampling.BOX)
    return picture


def center_strokes(picture: Image.Image, target: Target) -> tuple[NDArray[np.uint8], Box | None, bool]:
    """Scales and centres the strokes of a picture.

    Args:
        picture: in mode L, from :func:`reduce_strokes`.
        target: the input of a model for light strokes on dark.

    Returns:
        uint8 [H, W, 1]; the box of the strokes in the picture, None where there are none; whether they were dark.
    """
    grey = picture.tobytes()
    light = invert_if_light(grey, picture.width)
    is_inverted = light is not grey
    ink = _ink(np.frombuffer(light, np.uint8).reshape(picture.height, picture.width))
    box = _box(ink)
    if box is not None and _is_plate(ink[box]):  # light strokes on a dark plate, on a light page
        inner = _ink(255 - ink[box])
        if (found := _box(inner)) is not None:
            ink, box = _shifted(inner, ink.shape, box), _moved(found, box)
            is_inverted = not is_inverted
    if box is None:
        return np.zeros(target.shape, np.uint8), None, is_inverted
    rows, columns = box
    region = float(columns.start), float(rows.start), float(columns.stop), float(rows.stop)
    return _place(ink[box], target), region, is_inverted


def _ink(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The strokes with the background level subtracted, scaled to full contrast."""
    border = np.concatenate((grey[0], grey[-1], grey[:, 0], grey[:, -1]))
    ground = float(np.median(border))
    strength = float(grey.max()) - ground
    if strength < _LEAST_CONTRAST:
        return np.zeros_like(grey)
    strokes: NDArray[np.uint8] = np.clip((grey - ground) * (255 / strength), 0, 255).astype(np.uint8)
    return strokes


def _box(ink: NDArray[np.uint8]) -> tuple[slice, slice] | None:
    strong = ink > _INK * 255
    rows, columns = np.flatnonzero(strong.any(axis=1)), np.flatnonzero(strong.any(axis=0))
    if not len(rows):
        return None
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def _is_plate(cut: NDArray[np.uint8]) -> bool:
    """Whether a box is a light frame around a dark part. Strokes never fill the whole border of their box."""
    light = cut > 127
    border = np.concatenate((light[0], light[-1], light[:, 0], light[:, -1]))
    return bool(border.mean() >= _FRAME and (~light).mean() >= _DARK_INSIDE)


def _moved(inner: tuple[slice, slice], outer: tuple[slice, slice]) -> tuple[slice, slice]:
    rows, columns = (
        slice(start.start + at.start, start.start + at.stop) for at, start in zip(inner, outer, strict=True)
    )
    return rows, columns


def _shifted(inner: NDArray[np.uint8], shape: tuple[int, ...], place: tuple[slice, slice]) -> NDArray[np.uint8]:
    whole = np.zeros(shape, np.uint8)
    whole[place] = inner
    return whole


def _place(strokes: NDArray[np.uint8], target: Target) -> NDArray[np.uint8]:
    side = _SHARE * min(target.height, target.width)
    scale = side / max(strokes.shape)
    size = max(1, round(strokes.shape[1] * scale)), max(1, round(strokes.shape[0] * scale))
    scaled = np.asarray(Image.fromarray(strokes).resize(size, Image.Resampling.BILINEAR))
    weight = float(scaled.sum(dtype=np.int64)) or 1.0
    down = float((scaled.sum(axis=1, dtype=np.int64) * (np.arange(size[1]) + 0.5)).sum()) / weight
    across = float((scaled.sum(axis=0, dtype=np.int64) * (np.arange(size[0]) + 0.5)).sum()) / weight
    top = min(max(round(target.height / 2 - down), 0), target.height - size[1])
    left = min(max(round(target.width / 2 - across), 0), target.width - size[0])
    ground = np.zeros(target.shape, np.uint8)
    ground[top : top + size[1], left : left + size[0], 0] = scaled
    return ground

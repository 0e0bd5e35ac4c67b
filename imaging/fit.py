"""The resize rules of the contract: from a picture of any size to the size of the network's input."""

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imaging.sampling import MOST_PROPORTION, Box, black, is_strip, sample
from imaging.target import Target

_FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
    "box": Image.Resampling.BOX,
    "hamming": Image.Resampling.HAMMING,
}
_REDUCING_GAP = 2.0
_MOST_SUPPORT = 3
"""Pixels on each side that the widest filter, lanczos, uses where the picture does not shrink."""
_RESIZED_BYTES, _SAMPLED_BYTES = 4, 48  # of a pixel between two passes: in Pillow, as floats in three arrays
_INPUT_BYTES = 16  # of a pixel of the input: it is put on white, and copied into an array
_DARK = bytes(range(128))
_INVERTED = bytes(range(255, -1, -1))


def resize(picture: Image.Image, target: Target) -> Image.Image:
    """Scales a picture as the target's ``fit`` says.

    Args:
        picture: of any size, in mode RGB, RGBA, RGBa, L, LA, La or CMYK.
        target: the input that the model needs.

    Returns:
        The picture at the target's size; with ``contain``, at most that size, and then :func:`pad` is needed.
    """
    width, height = picture.size
    if target.is_met_by(width, height):
        return picture
    if target.fit == "shortest-edge":
        return _shortest_edge(picture, target)
    if target.fit == "stretch" and target.crop_fraction < 1:
        size = round(target.width / target.crop_fraction), round(target.height / target.crop_fraction)
        return _centre(_scale(picture, size, (0.0, 0.0, float(width), float(height)), target), target)
    if target.crop_rounding == "source-pixels":
        return _in_source_pixels(picture, target)
    if target.crop_rounding == "target-pixels":
        return _in_target_pixels(picture, target)
    size = target.width, target.height
    box = (0.0, 0.0, float(width), float(height))
    if target.fit == "cover":
        scale = min(width / target.width, height / target.height) * target.crop_fraction
        left, top = (width - target.width * scale) / 2, (height - target.height * scale) / 2
        box = (left, top, left + target.width * scale, top + target.height * scale)
    elif target.fit == "contain":
        scale = max(width / target.width, height / target.height)
        size = max(1, round(width / scale)), max(1, round(height / scale))
    return _scale(picture, size, box, target)


def resized_bytes(width: int, height: int, target: Target) -> int:
    """Most bytes of the pictures that :func:`resize` makes, beside the one that it gets, and of the network's input.

    Args:
        width: of the picture in pixels, before or after it is turned.
        height: of the picture in pixels.
        target: the input that the model needs.
    """
    shorter, longer = sorted((width, height))
    sides = round(target.width / target.crop_fraction), round(target.height / target.crop_fraction)
    if target.fit == "shortest-edge":
        sides = target.edge, math.ceil(target.edge * min(MOST_PROPORTION, longer / shorter))
    # Between the passes over rows and columns, one side is the old one; see `_scale`.
    between = max(sides) * min(longer, MOST_PROPORTION * shorter + 2 * _MOST_SUPPORT + 2)
    pixel_bytes = _RESIZED_BYTES if target.antialias else _SAMPLED_BYTES
    return pixel_bytes * (between + math.prod(sides)) + _INPUT_BYTES * target.height * target.width


def _shortest_edge(picture: Image.Image, target: Target) -> Image.Image:
    """Resizes to a size in whole pixels, and then crops whole pixels.

    Sources: torchvision/transforms/functional.py (``_compute_resized_output_size``, ``center_crop``);
    transformers/image_transforms.py (``get_resize_output_image_size``, ``center_crop``).
    """
    width, height = picture.size
    longer = int(target.edge * max(width, height) / min(width, height))
    size = (target.edge, longer) if width <= height else (longer, target.edge)
    left, top = _offset(size, target)
    if longer > MOST_PROPORTION * target.edge:  # resized as a whole, a long strip could have billions of pixels
        return _part_of_strip(picture, size, (left, top), target)
    if size != picture.size:
        picture = _scale(picture, size, (0.0, 0.0, float(width), float(height)), target)
    return _centre(picture, target)


def _in_source_pixels(picture: Image.Image, target: Target) -> Image.Image:
    """Crops whole pixels to the input's proportions, or pads with black to them, and resizes the result to the input.

    Sources: keras/src/backend/tensorflow/image.py (``resize``); keras/src/utils/image_utils.py (``smart_resize``, and
    ``load_img``, whose filters antialias and use pixels beyond the crop).
    """
    width, height = picture.size
    size = target.width, target.height
    wide, high = height * target.width // target.height, width * target.height // target.width
    if target.fit == "contain":
        left, top = max(0, wide - width) // 2, max(0, high - height) // 2
        box = -left, -top, width + left, height + top
        return sample(picture, size, box, target.interpolation, is_cut=True)
    wide, high = max(1, min(width, wide)), max(1, min(height, high))
    left, top = (width - wide) // 2, (height - high) // 2
    box = left, top, left + wide, top + high
    if target.antialias or target.interpolation == "nearest":
        return _scale(picture, size, box, target)
    return sample(picture, size, box, target.interpolation, is_cut=True)


def _in_target_pixels(picture: Image.Image, target: Target) -> Image.Image:
    """Resizes to a size in whole pixels, rounded down, and pads with black to the input.

    Source: tensorflow/python/ops/image_ops_impl.py (``_resize_image_with_pad_common``), which computes in float32; so
    a side may be one pixel shorter than in exact numbers.
    """
    width, height = np.float32(picture.width), np.float32(picture.height)
    ratio = max(width / np.float32(target.width), height / np.float32(target.height))
    wide, high = width / ratio, height / ratio
    size = max(1, int(wide)), max(1, int(high))
    box = (0.0, 0.0, float(picture.width), float(picture.height))
    # Without antialiasing also `nearest` is TensorFlow's: Pillow takes another pixel where two are equally near.
    inner = _scale(picture, size, box, target) if target.antialias else sample(picture, size, box, target.interpolation)
    padded = Image.new(inner.mode, (target.width, target.height), black(inner))
    left, top = max(0, int((target.width - wide) // 2)), max(0, int((target.height - high) // 2))
    padded.paste(inner, (left, top))
    return padded


def _part_of_strip(picture: Image.Image, size: tuple[int, int], offset: tuple[int, int], target: Target) -> Image.Image:
    """Makes only the crop, at ``offset`` of a picture resized to ``size``, without making that picture.

    Pillow rounds to 8 bits between its passes over rows and columns. Here the passes are made one after the other, on
    the needed part only, so they round as they would for the whole picture.
    """
    (left, top), across, down = offset, picture.width / size[0], picture.height / size[1]
    box = left * across, top * down, (left + target.width) * across, (top + target.height) * down
    if target.is_reduced or not target.antialias or target.interpolation == "nearest":
        return _scale(picture, (target.width, target.height), box, target)
    method, support = _FILTERS[target.interpolation], math.ceil(_MOST_SUPPORT * max(1.0, across, down)) + 1
    if picture.height >= picture.width:
        first, last = max(0, int(box[1]) - support), min(picture.height, math.ceil(box[3]) + support)
        part = picture.crop((0, first, picture.width, last)).resize((size[0], last - first), method)
        part = part.crop((left, 0, left + target.width, part.height))
        return part.resize((target.width, target.height), method, (0, box[1] - first, target.width, box[3] - first))
    first, last = max(0, int(box[0]) - support), min(picture.width, math.ceil(box[2]) + support)
    part = picture.crop((first, 0, last, picture.height))
    part = part.resize((target.width, part.height), method, (box[0] - first, 0, box[2] - first, part.height))
    part = part.resize((target.width, size[1]), method)
    return part.crop((0, top, target.width, top + target.height))


def _centre(picture: Image.Image, target: Target) -> Image.Image:
    left, top = _offset(picture.size, target)
    return picture.crop((left, top, left + target.width, top + target.height))


def _offset(size: tuple[int, int], target: Target) -> tuple[int, int]:
    """The position of the centre crop: (left, top), in whole pixels."""
    spare_width, spare_height = size[0] - target.width, size[1] - target.height
    if target.crop_rounding == "floor":
        return spare_width // 2, spare_height // 2
    return round(spare_width / 2), round(spare_height / 2)


def _scale(picture: Image.Image, size: tuple[int, int], box: Box, target: Target) -> Image.Image:
    method = _FILTERS[target.interpolation]
    # Rounding can put the box a trillionth of a pixel beyond the picture, which Pillow refuses.
    box = max(0.0, box[0]), max(0.0, box[1]), min(box[2], picture.width), min(box[3], picture.height)
    if not target.antialias and target.interpolation != "nearest":
        return sample(picture, size, box, target.interpolation)
    left, top, right, bottom = box
    is_whole = not target.is_reduced or picture.mode in {"LA", "RGBA"}  # Pillow does not reduce pictures with alpha
    if is_whole and is_strip(bottom - top, picture.width) and target.interpolation != "nearest":
        # Pillow scales the rows of pixels first, to a picture of this height and the new width.
        picture = picture.resize((picture.width, size[1]), method, box=(0.0, top, float(picture.width), bottom))
        box = left, 0.0, right, float(size[1])
    return picture.resize(size, method, box=box, reducing_gap=_REDUCING_GAP if target.is_reduced else None)


def invert_if_light(pixels: bytes, width: int) -> bytes:
    """Inverts a picture of dark strokes on a light ground, that is, if over half of its border is light.

    Args:
        pixels: grey, 8 bits, row by row.
        width: of a row.

    Returns:
        The pixels, on a dark ground.
    """
    border = pixels[:width] + pixels[-width:] + pixels[::width] + pixels[width - 1 :: width]
    light = border.translate(None, _DARK)
    return pixels.translate(_INVERTED) if 2 * len(light) > len(border) else pixels


def pad(pixels: NDArray[np.uint8], target: Target) -> NDArray[np.uint8]:
    """Centres a picture on black.

    Args:
        pixels: uint8 [h, w, C], no larger than the target.
        target: the input that the model needs.

    Returns:
        uint8 [H, W, C].
    """
    height, width, _ = pixels.shape
    if pixels.shape == target.shape:
        return pixels
    ground = np.zeros(target.shape, np.uint8)
    top, left = (target.height - height) // 2, (target.width - width) // 2
    ground[top : top + height, left : left + width] = pixels
    return ground


def without_bars(pixels: NDArray[np.uint8], width: int, height: int, target: Target) -> NDArray[np.uint8]:
    """The part of a resized picture inside the black bars that Keras' rules of ``contain`` put around it.

    Args:
        pixels: uint8 [h, w, C], as :func:`resize` makes them.
        width: of the picture before it was resized, in pixels.
        height: of that picture, in pixels.
        target: the input that the model needs.

    Returns:
        A view without the pixels at the edges, into which the bars were mixed; empty where none is left.
    """
    has_bars = target.fit == "contain" and target.crop_rounding in {"source-pixels", "target-pixels"}
    if not has_bars or target.centers_strokes or target.is_met_by(width, height):
        return pixels
    scale = max(width / target.width, height / target.height)
    edge = 1 + math.ceil(2 / scale)  # one by rounding; bicubic uses two pixels of the picture on each side
    left = math.ceil((target.width - width / scale) / 2) + edge
    top = math.ceil((target.height - height / scale) / 2) + edge
    return pixels[top : max(top, target.height - top), left : max(left, target.width - left)]

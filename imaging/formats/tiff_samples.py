"""Decodes layouts of TIFF samples that Pillow does not support: any bit depth, one plane or several, strips or tiles.

::

    file, described as grey bytes ──> Pillow inflates ──> rows of bytes ──> differences summed up ──> the upper 8 bits
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from imaging.formats import tiff_directory as tags
from imaging.formats.codec import load, open_with
from imaging.formats.tiff_directory import Directory
from imaging.formats.tiff_layout import BLACK_IS_ZERO, CMYK, DIFFERENCES, PREMULTIPLIED, WHITE_IS_ZERO, Layout
from imaging.header import Header

_CHUNK_BYTES = 1 << 18


def decode_samples(data: bytes, directory: Directory, layout: Layout, _header: Header) -> Image.Image:
    """Decodes a picture sample by sample.

    Args:
        data: the whole file.
        directory: of the picture.
        layout: of its samples.

    Returns:
        The picture in mode L, LA, RGB, RGBA or CMYK.

    Raises:
        UnreadableError: it is truncated or broken, or its compression depends on the layout.
    """
    if not layout.is_for_samples:
        raise layout.is_not_read()
    if layout.is_planar:
        planes = (_plane(directory, layout, index) for index in layout.kept)
        stacked = np.concatenate([_samples(data, plane, layout, 1, (0,)) for plane in planes], axis=2)
    else:
        stacked = _samples(data, directory, layout, layout.samples, layout.kept)
    if layout.photometric == WHITE_IS_ZERO:
        stacked[..., 0] = 255 - stacked[..., 0]
    modes = {1: "L", 2: "LA", 3: "RGB", 4: "CMYK" if layout.photometric == CMYK else "RGBA"}
    is_premultiplied = layout.alpha is not None and layout.extra[layout.alpha] == PREMULTIPLIED
    mode = modes[len(layout.kept)]
    stored = mode.replace("A", "a") if is_premultiplied else mode
    picture = Image.frombytes(stored, (layout.width, layout.height), stacked.tobytes())
    return picture.convert(mode) if is_premultiplied else picture


def _plane(directory: Directory, layout: Layout, index: int) -> Directory:
    """The directory of one of several planes."""
    changes = {}
    for tag in (tags.STRIP_OFFSETS, tags.STRIP_BYTES, tags.TILE_OFFSETS, tags.TILE_BYTES):
        values = directory.values(tag)
        count = len(values) // layout.samples
        changes[tag] = values[index * count : (index + 1) * count]
    return directory.changed(changes)


def _samples(
    data: bytes, directory: Directory, layout: Layout, samples: int, kept: tuple[int, ...]
) -> NDArray[np.uint8]:
    """The upper 8 bits of some samples of each pixel, uint8 [H, W, number of kept], of one plane."""
    row_bytes = -(-layout.width * samples * layout.bits // 8)
    changes: dict[int, tuple[int, ...]] = {}
    changes |= {tags.BITS: (8,), tags.SAMPLES: (1,), tags.PHOTOMETRIC: (BLACK_IS_ZERO,), tags.WIDTH: (row_bytes,)}
    changes |= dict.fromkeys((tags.PLANAR, tags.PREDICTOR, tags.EXTRA_SAMPLES), ())
    columns = layout.width
    if layout.is_tiled:
        columns = directory.value(tags.TILE_WIDTH, 0)
        if columns * samples * layout.bits % 8:
            raise layout.is_not_read()  # a row of a tile would end inside a byte
        changes[tags.TILE_WIDTH] = (columns * samples * layout.bits // 8,)
    as_bytes = directory.changed(changes).write(data)
    picture = open_with(TiffImageFile, as_bytes, Header("TIFF", row_bytes, layout.height))
    load(picture)
    rows = np.asarray(picture)
    del picture, as_bytes
    upper = np.empty((layout.height, layout.width, len(kept)), np.uint8)
    step = max(1, _CHUNK_BYTES // row_bytes)
    for top in range(0, layout.height, step):  # a few rows at a time, to save memory
        whole = _upper(rows[top : top + step], layout, samples, columns, directory.order)
        for channel, place in enumerate(kept):
            upper[top : top + step, :, channel] = whole[..., place]
    return upper


def _upper(rows: NDArray[np.uint8], layout: Layout, samples: int, columns: int, order: str) -> NDArray[np.uint8]:
    """The upper 8 bits of each sample, uint8 [H, W, samples], of some rows of bytes."""
    shape = len(rows), layout.width, samples
    if layout.bits not in {8, 16}:
        return _upper_bits(rows, layout.width * samples, layout.bits).reshape(shape)
    numbers: NDArray[np.unsignedinteger] = rows.view(order + "u2") if layout.bits == 16 else rows
    numbers = numbers.reshape(shape)
    if layout.predictor == DIFFERENCES:
        numbers = _summed(numbers, columns)
    return (numbers >> (layout.bits - 8)).astype(np.uint8)


def _summed(differences: NDArray[np.unsignedinteger], columns: int) -> NDArray[np.unsignedinteger]:
    """Samples [H, W, C] from their differences, which restart every ``columns`` columns, at each strip or tile."""
    kind = differences.dtype.newbyteorder("=")
    parts = range(0, differences.shape[1], columns)
    return np.concatenate([np.cumsum(differences[:, at : at + columns], axis=1, dtype=kind) for at in parts], axis=1)


def _upper_bits(rows: NDArray[np.uint8], samples: int, bits: int) -> NDArray[np.uint8]:
    """The upper 8 bits of samples that are packed without gaps, uint8 [H, samples], from rows of bytes."""
    loose = np.unpackbits(rows, axis=1, count=samples * bits)
    upper = np.packbits(loose.reshape(-1, samples, bits)[..., :8], axis=2)[..., 0]
    if bits >= 8:
        return upper
    most = (1 << bits) - 1
    scale = np.round((np.arange(256) >> (8 - bits)) * (255 / most)).astype(np.uint8)
    return scale[upper]

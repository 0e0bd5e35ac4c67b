"""TIFF (Adobe, TIFF 6.0) and BigTIFF: the first picture of the file.

Pillow supports a list of layouts, and decodes some others wrongly. Here the layout is read first, and samples without a
declared range are refused. Pillow gets the file with a new directory that it reads correctly (``tiff_directory``).

::

    layout that Pillow supports ───────────────────> Pillow ──> alpha, polarity as declared
    other samples of up to 16 bits ──> tiff_samples ──> the upper 8 bits of each sample
"""

import numpy as np
from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from imaging.errors import UnreadableError
from imaging.formats import tiff_directory as tags
from imaging.formats.codec import load, open_with
from imaging.formats.orientation import APPLIED, declared, orientation_of, turned
from imaging.formats.tiff_directory import Directory
from imaging.formats.tiff_layout import BLACK_IS_ZERO, NONE, PALETTE, WHITE_IS_ZERO, Layout
from imaging.formats.tiff_samples import decode_samples
from imaging.formats.tiff_ycbcr import check_complete, deflated
from imaging.header import Header
from imaging.target import Target

_UNSIGNED, _SIGNED, _FLOAT, _UNDEFINED = 1, 2, 3, 4
_MOST_SAMPLES = 16
_COLOR_MAP, _MOST_LEVELS = 320, 3 << 8
_NOT_FOR_CODECS = tags.SAMPLE_FORMAT, tags.ORIENTATION, tags.XMP, tags.PROFILE  # they are handled here


def read_header(data: bytes) -> Header:
    """Reads the size of the first picture.

    Raises:
        UnreadableError: there is none, or its samples or their compression are not read.
    """
    directory = Directory.of(data)
    width, height = directory.value(tags.WIDTH, 0), directory.value(tags.HEIGHT, 0)
    if not width or not height:
        raise UnreadableError("its header is broken (it declares no size)")
    sample_bytes = min(_MOST_SAMPLES, directory.value(tags.SAMPLES, 1)) * min(64, directory.value(tags.BITS, 1)) // 8
    copies = 1 if Layout.of(directory).is_for_pillow else 3  # of the samples, when `tiff_samples` converts them
    return Header("TIFF", width, height, codec_bytes=len(data), pixel_bytes=12 + copies * sample_bytes)


def decode(data: bytes, header: Header, target: Target) -> Image.Image:
    """Decodes the first picture, rotated by its orientation.

    Raises:
        UnreadableError: it is truncated or broken, its samples have no declared range, or its layout is not supported.
    """
    directory = Directory.of(data)
    layout = Layout.of(directory)
    _refuse_undeclared(directory, layout)
    pixels = directory.changed(dict.fromkeys(_NOT_FOR_CODECS, ()))
    picture = (_decode_by_pillow if layout.is_for_pillow else decode_samples)(data, pixels, layout, header)
    orientation = _orientation(directory) if target.exif else 1
    picture.info = {APPLIED: orientation}
    if profile := directory.fields.get(tags.PROFILE):
        picture.info["icc_profile"] = profile.raw
    return turned(picture, orientation)


def _orientation(directory: Directory) -> int:
    xmp = directory.fields.get(tags.XMP)
    return declared(directory) or orientation_of({"xmp": xmp.raw} if xmp else {})


def _decode_by_pillow(data: bytes, directory: Directory, layout: Layout, header: Header) -> Image.Image:
    is_deep_negative = layout.bits == 16 and layout.photometric == WHITE_IS_ZERO
    if layout.is_ycbcr and layout.compression == NONE:
        data, directory = deflated(data, directory, layout)
    elif layout.is_ycbcr and not layout.is_planar:
        check_complete(data, directory, layout)
    if is_deep_negative:
        directory = directory.changed({tags.PHOTOMETRIC: (BLACK_IS_ZERO,)})
    if layout.photometric == PALETTE:
        directory = _with_deep_palette(directory)
    try:
        picture = open_with(TiffImageFile, directory.write(data), header)
    except UnreadableError as error:
        if isinstance(error.__cause__, SyntaxError):  # Pillow's error for a layout that it does not support
            raise layout.is_not_read() from None
        raise
    load(picture)
    if picture.mode.startswith("I;16"):
        upper = (np.asarray(picture) >> 8).astype(np.uint8)
        return Image.fromarray(255 - upper if is_deep_negative else upper)
    if picture.mode == "La":
        return picture.convert("LA")
    if picture.mode == "RGBA" and not layout.extra and picture.getchannel("A").getextrema() == (0, 0):
        return picture.convert("RGB")  # not declared as alpha, and 0 everywhere
    return picture


def _with_deep_palette(directory: Directory) -> Directory:
    """The directory with a palette of 16 bits, as TIFF defines it; some writers store 8 bits, which libtiff reads too.

    A palette of 16 bits whose levels are all below 256 would be black.
    """
    field = directory.fields.get(_COLOR_MAP)
    levels = directory.values(_COLOR_MAP) if field is not None and field.length <= _MOST_LEVELS else ()
    if max(levels, default=256) >= 256:
        return directory
    return directory.changed({_COLOR_MAP: tuple(257 * level for level in levels)})


def _refuse_undeclared(directory: Directory, layout: Layout) -> None:
    """Refuses samples for which the file does not declare the value of white.

    Raises:
        UnreadableError: they are floats, signed, or wider than 16 bits.
    """
    formats = set(directory.values(tags.SAMPLE_FORMAT, (_UNSIGNED,)))
    remedy = "whose range the file does not declare; send 8 or 16 bits a channel, unsigned"
    if _FLOAT in formats:
        raise UnreadableError(f"its pixels are floating-point numbers, {remedy}")
    if _SIGNED in formats:
        raise UnreadableError(f"its pixels are signed integers, {remedy}")
    if formats - {_UNSIGNED, _UNDEFINED}:
        raise UnreadableError(f"its pixels are complex numbers, {remedy}")
    if layout.bits > 16:
        raise UnreadableError(f"its pixels are integers of {layout.bits} bits, {remedy}")

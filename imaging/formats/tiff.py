"""TIFF (Adobe, TIFF 6.0) and BigTIFF: the first picture of the file.

Pillow knows a table of layouts, and shows some others wrongly. Here the layout is read first, what has no declared
range is refused, and Pillow gets the file with a directory that says what it reads rightly (``tiff_directory``).

::

    layout that Pillow knows ──────────────────────> Pillow ──> alpha, polarity as declared
    other samples of up to 16 bits ──> rows of bytes by Pillow ──> the upper 8 bits of each sample
"""

from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from imaging.errors import UnreadableError
from imaging.formats import tiff_directory as tags
from imaging.formats.codec import load, open_with
from imaging.formats.orientation import orientation_of, turned
from imaging.formats.tiff_directory import Directory
from imaging.header import Header
from imaging.target import Target

_UNSIGNED, _SIGNED, _FLOAT, _UNDEFINED = 1, 2, 3, 4
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _CMYK = 0, 1, 2, 5
_CHANNELS = {_WHITE_IS_ZERO: 1, _BLACK_IS_ZERO: 1, _RGB: 3, _CMYK: 4}
_PREMULTIPLIED, _ALPHA = 1, 2
_PLAIN_COMPRESSIONS = {
    1,
    5,
    8,
    32773,
    32946,
    34925,
    50000,
}  # of bytes, whatever they mean: none, LZW, Deflate and so on
_DIFFERENCES = 2  # the predictor that stores each sample's difference from the one before
_MOST_SAMPLES = 16
_NOT_FOR_CODECS = tags.SAMPLE_FORMAT, tags.ORIENTATION, tags.XMP, tags.PROFILE  # what is done with them is done here
_CHUNK_BYTES = 1 << 20


class _Layout(NamedTuple):
    """What the directory says of the samples."""

    width: int
    height: int
    bits: int
    samples: int
    photometric: int
    compression: int
    is_planar: bool
    is_tiled: bool
    predictor: int
    extra: tuple[int, ...]

    @classmethod
    def of(cls, directory: Directory) -> Self:
        bits = directory.values(tags.BITS, (1,))
        samples = directory.value(tags.SAMPLES, 1)
        if samples > _MOST_SAMPLES:
            raise UnreadableError(f"it has {samples} samples a pixel; at most {_MOST_SAMPLES} are read")
        if len(set(bits[:samples])) > 1:
            raise UnreadableError(f"its samples have different numbers of bits ({', '.join(map(str, bits[:samples]))})")
        return cls(
            directory.value(tags.WIDTH, 0),
            directory.value(tags.HEIGHT, 0),
            bits[0],
            samples,
            directory.value(tags.PHOTOMETRIC, _WHITE_IS_ZERO),
            directory.value(tags.COMPRESSION, 1),
            directory.value(tags.PLANAR, 1) == 2 and samples > 1,
            tags.TILE_OFFSETS in directory.fields,
            directory.value(tags.PREDICTOR, 1),
            directory.values(tags.EXTRA_SAMPLES),
        )

    @property
    def is_grey(self) -> bool:
        return self.photometric in {_WHITE_IS_ZERO, _BLACK_IS_ZERO}

    @property
    def is_for_pillow(self) -> bool:
        if self.photometric not in _CHANNELS or (self.is_grey and self.samples == 1 and self.bits in {1, 2, 4, 8, 16}):
            return True
        if self.bits not in {8, 16} or (self.samples > len("CMYK") and not self.is_tiled):
            return False
        if self.is_planar and (self.is_grey or self.compression == 1):
            return self.is_tiled and self.bits == 8 and not self.is_grey
        return not self.is_grey or (self.bits == 8 and self.photometric == _BLACK_IS_ZERO)

    @property
    def channels(self) -> int:
        """Of the picture: samples without those that mean nothing, but for an alpha channel."""
        colours = _CHANNELS[self.photometric]
        return colours + (self.photometric != _CMYK and self.extra[:1] in {(_PREMULTIPLIED,), (_ALPHA,)})


def read_header(data: bytes) -> Header:
    """Reads the size of the first picture.

    Raises:
        UnreadableError: there is none.
    """
    directory = Directory.of(data)
    width, height = directory.value(tags.WIDTH, 0), directory.value(tags.HEIGHT, 0)
    if not width or not height:
        raise UnreadableError("its header is broken (it declares no size)")
    sample_bytes = min(_MOST_SAMPLES, directory.value(tags.SAMPLES, 1)) * min(64, directory.value(tags.BITS, 1)) // 8
    return Header("TIFF", width, height, codec_bytes=len(data), pixel_bytes=12 + sample_bytes)


def decode(data: bytes, header: Header, target: Target) -> Image.Image:
    """Decodes the first picture, upright.

    Raises:
        UnreadableError: it is truncated or broken, or its samples have no declared range, or a layout that is not read.
    """
    directory = Directory.of(data)
    layout = _Layout.of(directory)
    _refuse_undeclared(directory, layout)
    pixels = directory.changed(dict.fromkeys(_NOT_FOR_CODECS, ()))
    picture = (_decode_by_pillow if layout.is_for_pillow else _decode_samples)(data, pixels, layout, header)
    picture.info = {}
    if profile := directory.fields.get(tags.PROFILE):
        picture.info["icc_profile"] = profile.raw
    return turned(picture, _orientation(directory)) if target.exif else picture


def _orientation(directory: Directory) -> int:
    xmp = directory.fields.get(tags.XMP)
    return directory.value(tags.ORIENTATION, 0) or orientation_of({"xmp": xmp.raw} if xmp else {})


def _decode_by_pillow(data: bytes, directory: Directory, layout: _Layout, header: Header) -> Image.Image:
    is_deep_negative = layout.bits == 16 and layout.photometric == _WHITE_IS_ZERO
    if is_deep_negative:
        directory = directory.changed({tags.PHOTOMETRIC: (_BLACK_IS_ZERO,)})
    picture = open_with(TiffImageFile, directory.write(data), header)
    load(picture)
    if picture.mode.startswith("I;16"):
        upper = (np.asarray(picture) >> 8).astype(np.uint8)
        return Image.fromarray(255 - upper if is_deep_negative else upper)
    if picture.mode == "La":
        return picture.convert("LA")
    if picture.mode == "RGBA" and not layout.extra and picture.getchannel("A").getextrema() == (0, 0):
        return picture.convert("RGB")  # nobody said that it is alpha, nor filled it
    return picture


def _refuse_undeclared(directory: Directory, layout: _Layout) -> None:
    """Refuses numbers of which the file does not say which one is white.

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


def _decode_samples(data: bytes, directory: Directory, layout: _Layout, _header: Header) -> Image.Image:
    """Decodes what Pillow has no name for: rows of samples of any number of bits, in one plane or in several.

    Raises:
        UnreadableError: the samples are in tiles, or compressed by what has to know their layout.
    """
    is_readable = layout.compression in _PLAIN_COMPRESSIONS and directory.value(tags.FILL_ORDER, 1) == 1
    if not is_readable or layout.is_tiled or (layout.predictor != 1 and layout.bits != 16):
        raise UnreadableError(
            f"its layout is not read ({layout.samples} samples of {layout.bits} bits, "
            f"compression {layout.compression}); send 8 bits a channel"
        )
    if layout.is_planar:
        bands = [_samples(data, _plane(directory, layout, index), layout, 1) for index in range(layout.channels)]
        stacked = np.concatenate(bands, axis=2)
    else:
        stacked = _samples(data, directory, layout, layout.samples)[..., : layout.channels]
    if layout.photometric == _WHITE_IS_ZERO:
        stacked[..., 0] = 255 - stacked[..., 0]
    modes = {1: "L", 2: "LA", 3: "RGB", 4: "CMYK" if layout.photometric == _CMYK else "RGBA"}
    is_premultiplied = layout.channels in {2, 4} and layout.extra[:1] == (_PREMULTIPLIED,)
    mode = modes[layout.channels]
    stored = mode.replace("A", "a") if is_premultiplied else mode
    picture = Image.frombytes(stored, (layout.width, layout.height), stacked.tobytes())
    return picture.convert(mode) if is_premultiplied else picture


def _plane(directory: Directory, layout: _Layout, index: int) -> Directory:
    """The directory of one of several planes."""
    changes = {}
    for tag in (tags.STRIP_OFFSETS, tags.STRIP_BYTES):
        values = directory.values(tag)
        count = len(values) // layout.samples
        changes[tag] = values[index * count : (index + 1) * count]
    return directory.changed(changes)


def _samples(data: bytes, directory: Directory, layout: _Layout, samples: int) -> NDArray[np.uint8]:
    """The upper 8 bits of each sample, uint8 [H, W, samples], of one plane."""
    row_bytes = -(-layout.width * samples * layout.bits // 8)
    single = (tags.BITS, 8), (tags.SAMPLES, 1), (tags.PHOTOMETRIC, _BLACK_IS_ZERO), (tags.WIDTH, row_bytes)
    removed = (tags.PLANAR, tags.PREDICTOR, tags.EXTRA_SAMPLES)
    as_bytes = directory.changed({tag: (value,) for tag, value in single} | dict.fromkeys(removed, ()))
    picture = open_with(TiffImageFile, as_bytes.write(data), Header("TIFF", row_bytes, layout.height))
    load(picture)
    rows = np.asarray(picture)
    if layout.bits == 8:
        upper = rows
    elif layout.bits == 16:
        words = rows.view(directory.order + "u2").reshape(layout.height, layout.width, samples)
        if layout.predictor == _DIFFERENCES:
            words = np.cumsum(words, axis=1, dtype=np.uint16)
        upper = (words >> 8).astype(np.uint8)
    else:
        upper = _upper_bits(rows, layout.width * samples, layout.bits)
    return upper.reshape(layout.height, layout.width, samples).copy()


def _upper_bits(rows: NDArray[np.uint8], samples: int, bits: int) -> NDArray[np.uint8]:
    """The upper 8 bits of samples that are packed without gaps, uint8 [H, samples] from rows of bytes."""
    if bits < 8:
        raise UnreadableError(f"its layout is not read (several samples of {bits} bits)")
    upper = np.empty((len(rows), samples), np.uint8)
    step = max(1, _CHUNK_BYTES // (8 * rows.shape[1]))
    for top in range(0, len(rows), step):  # a bit becomes a byte, so a few rows at a time
        loose = np.unpackbits(rows[top : top + step], axis=1, count=samples * bits)
        upper[top : top + step] = np.packbits(loose.reshape(-1, samples, bits)[..., :8], axis=2)[..., 0]
    return upper

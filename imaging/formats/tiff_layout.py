"""The layout of the samples in a TIFF (TIFF 6.0, chapters 8, 14, 15 and 18), and which decoder can read it."""

from typing import NamedTuple, Self

from imaging.errors import UnreadableError
from imaging.formats import tiff_directory as tags
from imaging.formats.tiff_directory import Directory

WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, CMYK, YCBCR = 0, 1, 2, 3, 5, 6
NONE, DEFLATE = 1, 8
PREMULTIPLIED, _ALPHA = 1, 2
DIFFERENCES = 2
"""The predictor that stores each sample's difference from the one before."""

_CHANNELS = {WHITE_IS_ZERO: 1, BLACK_IS_ZERO: 1, RGB: 3, CMYK: 4}
# They compress any bytes: none, LZW, Deflate, PackBits, LZMA, Zstandard.
_PLAIN_COMPRESSIONS = frozenset((1, 5, 8, 32773, 32946, 34925, 50000))
_FAX = frozenset((2, 3, 4))  # fax machines' codes, whose zeros are white
_OTHER_COMPRESSIONS = frozenset((*_FAX, 6, 7))  # and JPEG
_UNREAD_COMPRESSIONS = {
    32771: "CCITT runs in words",
    34712: "JPEG 2000",
    34887: "LERC",
    50001: "WebP",
    50002: "JPEG XL",
    52546: "JPEG XL",
}
_MOST_SAMPLES = 16
_MISSING = -1
_LEAST_BITS_FIRST = 2


class Layout(NamedTuple):
    """The properties of the samples, from the directory."""

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
    is_reversed: bool

    @classmethod
    def of(cls, directory: Directory) -> Self:
        """Reads the layout from a directory.

        Raises:
            UnreadableError: there are too many samples, or they differ in size, or their meaning is not declared, or
                their compression is not read.
        """
        bits = directory.values(tags.BITS, (1,))
        samples = directory.value(tags.SAMPLES, 1)
        if samples > _MOST_SAMPLES:
            raise UnreadableError(f"it has {samples} samples a pixel; at most {_MOST_SAMPLES} are read")
        if len(set(bits[:samples])) > 1:
            raise UnreadableError(f"its samples have different numbers of bits ({', '.join(map(str, bits[:samples]))})")
        compression = directory.value(tags.COMPRESSION, 1)
        if compression not in _PLAIN_COMPRESSIONS | _OTHER_COMPRESSIONS:
            name = _UNREAD_COMPRESSIONS.get(compression, "unknown")
            raise UnreadableError(f"its compression is not read ({compression}, {name}); send LZW, Deflate or none")
        photometric = directory.value(tags.PHOTOMETRIC, WHITE_IS_ZERO if compression in _FAX else _MISSING)
        if photometric == _MISSING:
            raise UnreadableError(
                "it does not declare what its samples mean (tag 262, PhotometricInterpretation); save it with that tag"
            )
        return cls(
            directory.value(tags.WIDTH, 0),
            directory.value(tags.HEIGHT, 0),
            bits[0],
            samples,
            photometric,
            compression,
            directory.value(tags.PLANAR, 1) == 2 and samples > 1,
            tags.TILE_OFFSETS in directory.fields,
            directory.value(tags.PREDICTOR, 1),
            directory.values(tags.EXTRA_SAMPLES),
            directory.value(tags.FILL_ORDER, 1) == _LEAST_BITS_FIRST,
        )

    @property
    def is_grey(self) -> bool:
        """Whether there is one grey sample, apart from alpha and samples without a meaning."""
        return self.photometric in {WHITE_IS_ZERO, BLACK_IS_ZERO}

    @property
    def is_ycbcr(self) -> bool:
        """Whether it is YCbCr, whose colours may have fewer samples than its brightness, and no JPEG or fax."""
        return self.photometric == YCBCR and self.compression in _PLAIN_COMPRESSIONS

    @property
    def is_for_pillow(self) -> bool:
        """Whether Pillow decodes such pixels correctly."""
        if self.photometric not in _CHANNELS or (self.is_grey and self.samples == 1 and self.bits in {1, 2, 4, 8, 16}):
            return True
        if self.bits not in {8, 16} or (self.samples > len("CMYK") and not self.is_tiled):
            return False
        if self.is_for_samples and (self.is_reversed or self.samples > len("CMYK")):
            return False
        if self.is_planar and (self.is_grey or self.compression == 1):
            return self.is_tiled and self.bits == 8 and not self.is_grey
        is_read_grey = self.bits == 8 and self.photometric == BLACK_IS_ZERO and len(self.extra) == self.samples - 1 == 1
        return not self.is_grey or is_read_grey

    @property
    def is_for_samples(self) -> bool:
        """Whether ``tiff_samples`` can decode them: their compression does not depend on the layout."""
        if self.photometric not in _CHANNELS or self.compression not in _PLAIN_COMPRESSIONS:
            return False
        if self.is_grey and self.bits == 1:  # ImageMagick writes black and white with alpha inverted
            return False
        return self.predictor == 1 or (self.predictor == DIFFERENCES and self.bits in {8, 16})

    @property
    def alpha(self) -> int | None:
        """The place among the samples beside the colours of the one that is declared as alpha; none in CMYK."""
        beside = self.extra[: self.samples - _CHANNELS[self.photometric]] if self.photometric != CMYK else ()
        return next((place for place, meaning in enumerate(beside) if meaning in {PREMULTIPLIED, _ALPHA}), None)

    @property
    def kept(self) -> tuple[int, ...]:
        """The places of the samples that become channels of the picture: the colours, and alpha."""
        colours = _CHANNELS[self.photometric]
        return (*range(colours), *(() if self.alpha is None else (colours + self.alpha,)))

    def is_not_read(self) -> UnreadableError:
        """Makes the error for a layout that is not supported."""
        return UnreadableError(
            f"its layout is not read ({self.samples} samples of {self.bits} bits, compression {self.compression}, "
            f"photometric interpretation {self.photometric}); send 8 bits a channel, in RGB or grey"
        )

"""The header of a picture, read before any pixel is decoded, and the limits of a picture's size."""

from dataclasses import dataclass
from typing import NamedTuple

from imaging.errors import TooManyPixelsError
from imaging.fit import resized_bytes
from imaging.limits import MAX_SIDE_PIXELS
from imaging.meter import Meter
from imaging.target import Target

# Of 12 pictures at once, which is more than any format makes: Pillow has a pointer to each row, and pads it to 4 bytes.
_ROW_BYTES = 12 * (8 + 3)
_SAMPLED_BYTES = 4  # for each pixel, where the resize is not Pillow's: the bytes that its array is made of
_REDUCTIONS = (8, 4, 2)
_REDUCING_GAP = 2  # a JPEG is decoded to at least twice the target's size, so that the resize after it stays smooth


class Header(NamedTuple):
    """The properties of a picture that are known before any pixel is decoded.

    Attributes:
        kind: format: ``PNG``, ``JPEG``, ``WEBP``, ``BMP``, ``GIF``, ``TIFF``, ``AVIF`` or ``HEIF``.
        width: in pixels, as stored, that is, before rotation by its orientation.
        height: in pixels, as stored.
        is_reducible: whether it is a JPEG in one sequential scan, which its codec can decode at 1/2, 1/4 or 1/8 of its
            size without holding the full size.
        codec_bytes: bytes held at any decoded size: coefficients of a JPEG of several scans, a copy of the file.
        pixel_bytes: most bytes that one decoded pixel takes, in the codec and in the copies made of it before the
            resize. Measured as the peak of a process (`tests/imaging/test_memory.py`).
        plain_mode: Pillow's mode, RGB or L, of a JPEG in one sequential scan without EXIF, colour profile or inks.
            Empty for all others.
        meter: ends codecs that compute too long; None where only the header is read.
    """

    kind: str
    width: int
    height: int
    is_reducible: bool = False
    codec_bytes: int = 0
    pixel_bytes: int = 9
    plain_mode: str = ""
    meter: Meter | None = None

    @property
    def pixels(self) -> int:
        """Width x height."""
        return self.width * self.height

    def reduction(self, target: Target) -> int:
        """The divisor of each side while decoding: 1, 2, 4 or 8. Only JPEG's codec can divide."""
        if self.kind != "JPEG" or not target.is_reduced:
            return 1
        side = _REDUCING_GAP * max(target.height, target.width, target.edge)
        times = min(self.width // side, self.height // side)
        return next((reduction for reduction in _REDUCTIONS if times >= reduction), 1)

    def decoded_size(self, target: Target) -> tuple[int, int]:
        """(width, height) of the picture as it is decoded for a target."""
        reduction = self.reduction(target)
        return -(-self.width // reduction), -(-self.height // reduction)

    def decoded_pixels(self, target: Target) -> int:
        """Number of pixels that are decoded for a target."""
        width, height = self.decoded_size(target)
        return width * height


def decoded_bytes(header: Header, target: Target) -> int:
    """Most bytes that decoding a picture holds at once, without the file itself."""
    width, height = header.decoded_size(target)
    pixel_bytes = header.pixel_bytes + (0 if target.antialias else _SAMPLED_BYTES)
    row_bytes = _ROW_BYTES * max(width, height)  # columns become rows where the picture is turned
    return header.codec_bytes + pixel_bytes * width * height + row_bytes + resized_bytes(width, height, target)


@dataclass(frozen=True, slots=True)
class Limits:
    """How large a picture may be.

    Attributes:
        max_pixels: most pixels (width x height) of one picture.
        max_reducible_pixels: the same for a JPEG that is decoded at a reduced size, which must be within
            ``max_pixels``; it allows the 48 and 50 megapixels of today's phones.
    """

    max_pixels: int = 25_000_000
    max_reducible_pixels: int = 52_000_000

    def check(self, header: Header, target: Target) -> None:
        """Checks that a picture is within the limits.

        Raises:
            TooManyPixelsError: it is not.
        """
        if max(header.width, header.height) > MAX_SIDE_PIXELS:
            raise TooManyPixelsError(
                f"has {header.width} x {header.height} pixels; at most {MAX_SIDE_PIXELS} are allowed on a side"
            )
        if header.pixels <= self.max_pixels:
            return
        most = self.max_pixels
        if header.is_reducible and header.decoded_pixels(target) <= self.max_pixels:
            most = max(most, self.max_reducible_pixels)
        if header.pixels > most:
            raise TooManyPixelsError(f"has {header.width} x {header.height} pixels; at most {most} are allowed")

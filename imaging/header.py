"""What a picture's header says, known before any pixel is decoded, and how large a picture may be."""

from dataclasses import dataclass
from typing import NamedTuple

from imaging.errors import TooManyPixelsError
from imaging.meter import Meter
from imaging.target import Target

_REDUCTIONS = (8, 4, 2)
_REDUCING_GAP = 2  # a JPEG is decoded no smaller than twice the target, so that the resize after it stays smooth


class Header(NamedTuple):
    """What is known of a picture before any pixel is decoded.

    Attributes:
        kind: format: ``PNG``, ``JPEG``, ``WEBP``, ``BMP``, ``GIF``, ``TIFF``, ``AVIF`` or ``HEIF``.
        width: in pixels, as stored: before EXIF turns the picture.
        height: in pixels, as stored.
        is_reducible: a JPEG in one sequential scan: its codec can make 1/2, 1/4 or 1/8 of its size without ever holding
            the rest.
        codec_bytes: what is held whatever size is decoded: coefficients of a JPEG of several scans, a copy of the file.
        pixel_bytes: most bytes that one decoded pixel takes, in the codec and in the copies made of it before the
            resize. Measured as the peak of a process (`tests/imaging/test_memory.py`).
        plain_mode: of a JPEG in one sequential scan, of which only the pixels matter (no EXIF, no colour profile,
            no inks): RGB or L, as Pillow names it. Empty for all others.
        meter: ends codecs that compute too long; None where the picture is only looked at.
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
        """By how much each side is divided while decoding: 1, 2, 4 or 8. Only JPEG's codec can."""
        if self.kind != "JPEG" or not target.is_reduced:
            return 1
        side = _REDUCING_GAP * max(target.height, target.width, target.edge)
        times = min(self.width // side, self.height // side)
        return next((reduction for reduction in _REDUCTIONS if times >= reduction), 1)

    def decoded_pixels(self, target: Target) -> int:
        """Pixels of the picture as it is decoded for a target."""
        reduction = self.reduction(target)
        return -(-self.width // reduction) * -(-self.height // reduction)


def decoded_bytes(header: Header, target: Target) -> int:
    """Most bytes that decoding a picture will hold at once, the file itself not counted."""
    return header.codec_bytes + header.pixel_bytes * header.decoded_pixels(target)


@dataclass(frozen=True, slots=True)
class Limits:
    """How large a picture may be.

    Attributes:
        max_pixels: most pixels (width x height) of one picture.
        max_reducible_pixels: the same of a JPEG that is decoded at a reduced size, which itself is within
            ``max_pixels``; for the 48 and 50 megapixels of today's phones.
    """

    max_pixels: int = 25_000_000
    max_reducible_pixels: int = 52_000_000

    def check(self, header: Header, target: Target) -> None:
        """Passes a picture that is within the limits.

        Raises:
            TooManyPixelsError: it is not.
        """
        if header.pixels <= self.max_pixels:
            return
        most = self.max_pixels
        if header.is_reducible and header.decoded_pixels(target) <= self.max_pixels:
            most = max(most, self.max_reducible_pixels)
        if header.pixels > most:
            raise TooManyPixelsError(f"has {header.width} x {header.height} pixels; at most {most} are allowed")

"""What decoding one file takes, known before a pixel is decoded."""

from typing import NamedTuple

from imaging.header import Header
from imaging.target import Target

_TARGET_PIXEL_S = 12e-9


class Cost(NamedTuple):
    """What a format's scanner finds out. Times are those of the core that :func:`imaging.meter.slowness` knows.

    Attributes:
        data: the file, without what no decoder needs.
        work_s: estimated CPU time, in seconds, of what has to be decoded whatever size the picture is wanted at.
        pixel_s: estimated CPU time of a pixel that is decoded, converted and resized.
        is_bounded: whether decoding takes no more than some times the estimate, whatever the file holds: its codec
            works as the headers say, or is ended by a meter, and lets other threads run. If not, it has to be decoded
            where it can be ended.
        profile: its colour profile (ICC.1); empty where it has none.
    """

    data: bytes
    work_s: float
    pixel_s: float
    is_bounded: bool = True
    profile: bytes = b""

    def estimate_s(self, header: Header, target: Target) -> float:
        """CPU time, in seconds, of making the picture what a model takes, its colour profile left out."""
        pixels = header.decoded_pixels(target)
        return self.work_s + pixels * self.pixel_s + target.height * target.width * _TARGET_PIXEL_S

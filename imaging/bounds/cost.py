"""The estimated cost of decoding one file, known before a pixel is decoded."""

from typing import NamedTuple

from imaging.header import Header
from imaging.target import Target

_TARGET_PIXEL_S = 12e-9


class Cost(NamedTuple):
    """The result of a format's scanner. Times are those of the reference core of :func:`imaging.meter.slowness`.

    Attributes:
        data: the file, without the parts that no decoder needs.
        work_s: estimated CPU time, in seconds, of the work that does not depend on the decoded size.
        pixel_s: estimated CPU time, in seconds, for each pixel that is decoded, converted and resized.
        is_bounded: whether decoding takes at most a few times the estimate, for any content of the file: the headers
            limit the work of the codec, or a meter ends it, and it lets other threads run. If not, the file has to be
            decoded in a process that can be ended.
        profile: its colour profile (ICC.1); empty where it has none.
    """

    data: bytes
    work_s: float
    pixel_s: float
    is_bounded: bool = True
    profile: bytes = b""

    def estimate_s(self, header: Header, target: Target) -> float:
        """CPU time, in seconds, of decoding the picture to a model's input, without applying its colour profile."""
        pixels = header.decoded_pixels(target)
        return self.work_s + pixels * self.pixel_s + target.height * target.width * _TARGET_PIXEL_S

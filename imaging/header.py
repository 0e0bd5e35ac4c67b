"""What a picture's header says, known before any pixel is decoded, and how much of it may be decoded."""

from dataclasses import dataclass

from imaging.errors import TooManyPixelsError


@dataclass(frozen=True, slots=True)
class Header:
    """What is known of a picture before any pixel is decoded.

    Attributes:
        kind: format, as Pillow names it: ``PNG``, ``JPEG`` and so on.
        width: in pixels, as stored: before EXIF turns the picture.
        height: in pixels, as stored.
    """

    kind: str
    width: int
    height: int

    @property
    def pixels(self) -> int:
        """Width x height."""
        return self.width * self.height


@dataclass(frozen=True, slots=True)
class Limits:
    """How large a picture may be.

    Attributes:
        max_pixels: most pixels (width x height) of one picture.
    """

    max_pixels: int = 25_000_000

    def check(self, header: Header) -> None:
        """Passes a picture that is within the limits.

        Raises:
            TooManyPixelsError: it is not.
        """
        if header.pixels > self.max_pixels:
            raise TooManyPixelsError(
                f"has {header.width} x {header.height} pixels; at most {self.max_pixels} are allowed"
            )

"""EXIF (CIPA DC-008) that holds a picture's orientation and nothing else."""

import struct

_ORIENTATION_TAG, _SHORT = 0x0112, 3


def minimal_exif(orientation: int) -> bytes:
    """A TIFF stream of one entry, in the place of the thousands that a hostile file has."""
    return struct.pack(">2sHIHHHIHHI", b"MM", 42, 8, 1, _ORIENTATION_TAG, _SHORT, 1, orientation, 0, 0)

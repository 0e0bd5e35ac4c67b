"""Writes EXIF (CIPA DC-008) that contains a picture's orientation only."""

import struct

_ORIENTATION_TAG, _SHORT = 0x0112, 3


def minimal_exif(orientation: int) -> bytes:
    """A TIFF stream of one entry, to replace EXIF in which a malicious file can have thousands of entries."""
    return struct.pack(">2sHIHHHIHHI", b"MM", 42, 8, 1, _ORIENTATION_TAG, _SHORT, 1, orientation, 0, 0)

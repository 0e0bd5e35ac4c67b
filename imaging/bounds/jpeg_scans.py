"""The cost of decoding a JPEG, from its markers (ITU-T T.81, annexes B and G).

::

    SOI ... SOF ... SOS entropy-coded data  [DHT SOS entropy-coded data] ...  EOI
             │       └── one for all components, or several, which are counted
             └── the number of blocks, which limits the bytes of a scan

A decoder visits every block once for each scan, even if the scan has no data, so many scans make a small file slow.
Only a file that can have several scans is searched for them.
"""

import re

from imaging import limits
from imaging.bounds.cost import Cost
from imaging.bounds.jpeg_frame import Frame
from imaging.bounds.jpeg_segments import HEAD, LONGEST, SOS, HeaderSegments, find_segment
from imaging.errors import UnreadableError

_EOI = 0xD9
_ENDS_ENTROPY = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_SEARCH_BYTES = 1 << 20  # searched in one call, during which no other thread runs
_OPEN_S, _PIXEL_S = 90e-6, 7e-9  # a pixel is transformed, upsampled, converted and resized


def measure_jpeg(data: bytes) -> Cost:
    """Estimates the cost of decoding a JPEG.

    Args:
        data: the whole file, beginning with SOI.

    Returns:
        The cost, with the part of the file that a decoder needs.

    Raises:
        UnreadableError: the header is broken, or it has more parts of a kind than any encoder writes.
    """
    segments = HeaderSegments(data)
    needed = segments.needed(_stop(data, segments))
    return Cost(needed, _OPEN_S + segments.frame.work_s(len(needed)), _PIXEL_S, profile=segments.profile())


def _stop(data: bytes, segments: HeaderSegments) -> int:
    """Counts the scans; returns the end of the data that a decoder needs.

    Raises:
        UnreadableError: there are too many, or one is longer than its blocks can make it.
    """
    frame, end = segments.frame, segments.end
    components = data[segments.start + HEAD] if end > segments.start + HEAD else 0
    most = _most_bytes(frame, data[segments.start + HEAD : end])
    if not frame.is_progressive and components == frame.components:
        return min(len(data), end + most)
    scans, tables = 1, 0
    while True:
        found = _end_of_entropy(data, end, end + most)
        if found is None:
            if len(data) > end + most:
                raise UnreadableError("one of its scans has more bytes than encoders make of so many pixels")
            return len(data)
        if data[found + 1] == _EOI:
            return found + 2
        try:
            start, marker, end = find_segment(data, found, 0)
        except UnreadableError:  # truncated; the scans before may still make the whole picture
            return len(data)
        if marker == SOS:
            most = _most_bytes(frame, data[start + HEAD : end])
            scans, tables = scans + 1, 0
        else:
            most = limits.MAX_JPEG_PADDING
            tables += 1
        if scans > limits.MAX_JPEG_SCANS:
            raise UnreadableError(
                f"it has more than {limits.MAX_JPEG_SCANS} scans; encoders write at most 18: save the picture again"
            )
        if tables > limits.JPEG_SEGMENTS_A_SCAN or end - start - HEAD > LONGEST.get(marker, end):
            raise UnreadableError("there is more between two of its scans than any encoder writes")


def _most_bytes(frame: Frame, scan_header: bytes) -> int:
    """Counts a scan into its frame; returns the most bytes of entropy-coded data that may follow."""
    return frame.add_scan(scan_header) * frame.block_bytes + limits.MAX_JPEG_PADDING


def _end_of_entropy(data: bytes, offset: int, last: int) -> int | None:
    """The offset of the next marker that ends entropy-coded data, if it begins before ``last``."""
    while offset < min(last, len(data)):
        if found := _ENDS_ENTROPY.search(data, offset, min(last, offset + _SEARCH_BYTES) + 1):
            return found.start()
        offset += _SEARCH_BYTES
    return None
